// Writes random strings and the ids that npm's `tiktoken` gives them, as JSON lines:
//   npm install tiktoken
//   node tests/tokenizer_differential.mjs 20000 SEED > out/random.jsonl
//   VIMACH_TOKENIZER_CASES=out/random.jsonl build/float/tests/unit -tc='tokenizer: random*'
// `make differential` does the three. Strings mix all planes, white space, contractions, numbers
// and words. tests/fixtures/tokenizer_random.jsonl is this script's output for: 1000 1
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const encoding = require("tiktoken").get_encoding("gpt2");
const count = Number(process.argv[2] ?? 20000);
let state = BigInt(process.argv[3] ?? 1);

// splitmix64, so that a seed names the same strings everywhere.
function below(n) {
  const mask = (1n << 64n) - 1n;
  state = (state + 0x9e3779b97f4a7c15n) & mask;
  let z = state;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
  return Number((z ^ (z >> 31n)) % BigInt(n));
}
const pick = (list) => list[below(list.length)];

const spaces = [..." \t\n\r\v\f\u0085\u00a0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000"];
const nearSpaces = [..."\x1c\x1d\x1e\x1f\u180e\u200b\u200c\u200d\u2060\ufeff\0"];
const contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'l", "'S", "'RE", "’s", "'", "''"];
const words = ["the", "The", " of", "Hungary", "naïve", "Ünïcode", "łódź", "日本語", "Привет",
  "नमस्ते", "ភាសា", "مرحبا", "한국어", "x²", "½", "Ⅷ", "١٢٣", "1234567890", "e\u0301", "👩‍👩‍👧‍👦", "🇭🇺"];

// Any code point but surrogates.
function codePoint() {
  for (;;) {
    const c = pick([() => below(0x80), () => below(0x800), () => below(0x10000),
                    () => 0x10000 + below(0x100000), () => 0x1f000 + below(0x1000)])();
    if (c < 0xd800 || c > 0xdfff) return String.fromCodePoint(c);
  }
}

const kinds = [() => pick(spaces), () => " ", () => " ".repeat(below(6)), () => pick(nearSpaces),
  () => pick(contractions), () => pick(words), codePoint, codePoint,
  () => String.fromCharCode(33 + below(94)), () => String(below(100000))];

const lines = [];
for (let i = 0; i < count; ++i) {
  let text = "";
  for (let n = below(16); n >= 0; --n) text += pick(kinds)();
  lines.push(JSON.stringify({ text, ids: [...encoding.encode_ordinary(text)] }));
}
process.stdout.write(lines.join("\n") + "\n");
