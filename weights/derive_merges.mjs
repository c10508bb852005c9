// Derives merges.txt, GPT-2's list of 50,000 byte-pair merges, from the token ranks in the npm
// package `tiktoken` (MIT licence, OpenAI and its authors):
//   npm install tiktoken && node weights/derive_merges.mjs > weights/merges.txt
// Each token of rank >= 256 is cut by the merges before it into exactly two parts: its merge.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const { bpe_ranks } = require("tiktoken/encoders/gpt2.json");

// Read the ranks: lines of "! first-rank base64-token base64-token ...".
const rankOf = new Map();
for (const line of bpe_ranks.split("\n")) {
  const [, first, ...tokens] = line.split(" ");
  tokens.forEach((token, i) =>
    rankOf.set(Buffer.from(token, "base64").toString("latin1"), Number(first) + i));
}

// Show bytes as GPT-2 does: 188 printable ones as themselves, the others as U+0100, U+0101, ...
const shown = [];
let next = 0x100;
for (let byte = 0; byte < 256; ++byte) {
  const itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  shown.push(String.fromCodePoint(itself ? byte : next++));
}
const show = (token) => [...token].map((c) => shown[c.charCodeAt(0)]).join("");

// Merge a token's bytes by the ranks below its own until two parts are left.
function parents(token, rank) {
  const parts = [...token];
  while (parts.length > 2) {
    let best = -1, bestRank = rank;
    for (let i = 0; i + 1 < parts.length; ++i) {
      const r = rankOf.get(parts[i] + parts[i + 1]);
      if (r !== undefined && r < bestRank) [best, bestRank] = [i, r];
    }
    if (best < 0) throw new Error(`token ${rank} is not a merge of two earlier tokens`);
    parts.splice(best, 2, parts[best] + parts[best + 1]);
  }
  return parts;
}

const lines = ["#version: 0.2"];
for (const [token, rank] of [...rankOf].sort((a, b) => a[1] - b[1])) {
  if (rank >= 256) lines.push(parents(token, rank).map(show).join(" "));
}
process.stdout.write(lines.join("\n") + "\n");
