// socket.io on Node, with its default WebSocket engine (ws), and the classic Redis adapter if REDIS_URL is set. The workloads of
// other clients set WS_PER_MESSAGE_DEFLATE, WS_ALLOW_EIO3 or PEER_PARSER; compression has Puente's defaults.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import jwt from "jsonwebtoken";
import { createClient } from "redis";
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";
import { attach } from "../events.mjs";

const secret = process.env.JWT_SECRET;
const http = createServer();
const io = new Server(http, {
  pingInterval: 30000,
  pingTimeout: 60000,
  perMessageDeflate: process.env.WS_PER_MESSAGE_DEFLATE === "true" && { threshold: 1024, zlibDeflateOptions: { level: 1 } },
  allowEIO3: process.env.WS_ALLOW_EIO3 === "true",
  parser: process.env.PEER_PARSER === "msgpack" ? msgpack : undefined,
});
if (process.env.REDIS_URL) {
  const pub = createClient({ url: process.env.REDIS_URL });
  const sub = pub.duplicate();
  for (const client of [pub, sub]) client.on("error", (err) => console.error(err));
  await Promise.all([pub.connect(), sub.connect()]);
  io.adapter(createAdapter(pub, sub));
}
attach(io, (token) => jwt.verify(token, secret, { algorithms: ["HS256"] }));
http.listen(Number(process.env.HTTP_PORT), process.env.HTTP_HOST, 4096);
