// Sends WebSocket messages over the limit with the client of the npm package ws. It answers each line of JSON
// {url, size, times} on stdin with the close codes that it received, and how often.
import { createInterface } from "node:readline";
import WebSocket from "ws";

function send(url, size) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.on("error", () => {}); // a reset shows as 1006, or not at all
    socket.on("open", () => socket.send("4" + "x".repeat(size - 1)));
    socket.on("close", resolve);
  });
}

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { url, size, times } = JSON.parse(line);
    const codes = {};
    for (let i = 0; i < times; i++) {
      const code = await send(url, size);
      codes[code] = (codes[code] ?? 0) + 1;
    }
    console.log(JSON.stringify(codes));
  })
  .on("close", () => process.exit(0));
