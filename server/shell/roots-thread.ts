/** The thread in which long results' roots are computed. */
import { parentPort } from "node:worker_threads";
import { type RootAnswer, type RootQuestion, rootHolds } from "./roots.ts";

if (!parentPort) throw new Error("this module runs in the coordinator's hashing thread");
const port = parentPort;

port.on("message", (question: RootQuestion) => {
  const answer: RootAnswer = { id: question.id, holds: rootHolds(question) };
  port.postMessage(answer);
});
