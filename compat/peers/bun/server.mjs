// socket.io on Bun, with the engine of the same authors for Bun's WebSocket server.
import { Server as Engine } from "@socket.io/bun-engine";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";
import { attach } from "../events.mjs";

const secret = process.env.JWT_SECRET;
const io = new Server();
const engine = new Engine({ path: "/socket.io/", pingInterval: 30000, pingTimeout: 60000, maxHttpBufferSize: 1e6 });
io.bind(engine);
attach(io, (token) => jwt.verify(token, secret, { algorithms: ["HS256"] }));
Bun.serve({ ...engine.handler(), hostname: process.env.HTTP_HOST, port: Number(process.env.HTTP_PORT) });
