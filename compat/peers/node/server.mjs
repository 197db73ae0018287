// socket.io on Node, with its default WebSocket engine (ws).
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";
import { attach } from "../events.mjs";

const secret = process.env.JWT_SECRET;
const http = createServer();
const io = new Server(http, { pingInterval: 30000, pingTimeout: 60000 });
attach(io, (token) => jwt.verify(token, secret, { algorithms: ["HS256"] }));
http.listen(Number(process.env.HTTP_PORT), process.env.HTTP_HOST, 4096);
