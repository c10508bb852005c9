// The tokenizer's peer: npm's `tiktoken` on the same text. Prints its median time in seconds.
//   npm install tiktoken && node tests/bench_tiktoken.mjs FILE
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const encoding = require("tiktoken").get_encoding("gpt2");
const text = readFileSync(process.argv[2], "utf8");

const seconds = [];
for (let i = 0; i < 6; ++i) {
  const begin = process.hrtime.bigint();
  encoding.encode_ordinary(text);
  seconds.push(Number(process.hrtime.bigint() - begin) / 1e9);
}
console.log(seconds.slice(1).sort((a, b) => a - b)[2]);  // the first one warms up
