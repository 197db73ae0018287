// The reference server of the transcripts: Node's socket.io, or engine.io alone, with the behaviour that ../README.md
// lists. One process serves every transcript: each line of JSON {kind, options} on stdin starts a server on a free
// port of 127.0.0.1, which is printed on stdout. The process ends with stdin.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";

// drift.mjs sets this to a directory with other versions of the packages than package-lock.json pins.
const modules = process.env.REFERENCE_MODULES;
const require = createRequire(modules ? join(modules, "package.json") : import.meta.url);
const own = createRequire(import.meta.url);
const { Server } = require("socket.io");
// Use socket.io's own copy of engine.io, so that both kinds of transcript test the same engine.
const engine = createRequire(require.resolve("socket.io"))("engine.io");

function engineServer(httpServer, options) {
  const server = engine.attach(httpServer, options);
  server.on("connection", (socket) => {
    socket.on("message", (data) => {
      if (data === "farewell") {
        socket.send("goodbye");
        socket.close();
      } else {
        socket.send(data);
      }
    });
  });
}

function socketServer(httpServer, { refuse, parser, ...options }) {
  if (parser !== undefined) options.parser = own(parser); // drift.mjs installs no parser
  if (refuse !== undefined) options.allowRequest = (req, done) => done(refuse || null, false);
  const io = new Server(httpServer, options);

  const greet = (nsp) => {
    nsp.on("connection", (socket) => {
      socket.emit("auth", socket.handshake.auth);
      socket.on("message", (...args) => socket.emit("message-back", ...args));
      socket.on("message-with-ack", (...args) => args.pop()(...args));
      socket.on("ask", (...args) => {
        socket.emit("question", ...args, (...answer) => socket.emit("answer", ...answer));
      });
      socket.on("repeat", (text, times, messages) => {
        for (let i = 0; i < messages; i++) socket.emit("repeated", text.repeat(times));
      });
      socket.on("say", (...args) => nsp.emit("said", ...args));
      socket.on("say-volatile", (...args) => nsp.volatile.emit("said", ...args));
      socket.on("join", (room, done) => (socket.join(room), done()));
      socket.on("say-to", (room, ...args) => nsp.to(room).emit("said", ...args));
      socket.on("leave", () => socket.disconnect());
      socket.on("hang-up", () => socket.disconnect(true));
      socket.on(7, (...args) => socket.emit("seven", ...args));
    });
  };

  greet(io.of("/"));
  greet(io.of("/custom"));
  greet(io.of(/^\/dynamic-\d+$/));

  const members = io.of("/members");
  members.use((socket, next) => {
    if (socket.handshake.auth.token === "secret") return next();
    const refusal = new Error("not a member");
    if (socket.handshake.auth.explain) refusal.data = { code: "E_MEMBER", hint: ["sign up"] };
    next(refusal);
  });
  greet(members);
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { kind, options } = JSON.parse(line);
    const httpServer = createServer((req, res) => res.writeHead(404).end());
    (kind === "engine.io" ? engineServer : socketServer)(httpServer, options);
    httpServer.listen(0, "127.0.0.1", () => console.log(httpServer.address().port));
  })
  .on("close", () => process.exit(0));
