// A network in a file: what rnncourse.Model.load reads, and what Model.save writes.
//
// It is a zip archive of .npy arrays, stored as they are, and a header that says in JSON how the model is made.
// With a training run's history in it, it is a checkpoint, which rnncourse.load_checkpoint reads.

import { CELLS, shapes } from "./nets.js";

const FORMAT = "rnncourse model 2";
const NPY = "\x93NUMPY\x01\x00";
const [LOCAL, CENTRAL, END] = [67324752, 33639248, 101010256]; // the parts of an archive begin with "PK" and two bytes

/** The check sum CRC-32, bit by bit. */
function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (3988292384 & -(crc & 1));
  }
  return ~crc >>> 0;
}
const ascii = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
function join(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}
/** Whole numbers as bytes, the lowest of each first. */
const whole = (size) => (...list) => Uint8Array.from(list.flatMap((n) => Array.from({ length: size }, (_, k) => n >>> (8 * k))));
const [u16, u32] = [whole(2), whole(4)];

/** What a .npy file says of its array, as NumPy writes it. */
const about = (shape, kind) => `{'descr': '${kind}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length > 1 ? "" : ","}), }`;
/** Numbers as the bytes of a .npy file. */
function npy(shape, kind, data) {
  const said = about(shape, kind);
  const size = 64 * Math.ceil((said.length + 11) / 64) - 10; // all before the numbers is a multiple of 64
  return join([ascii(NPY), u16(size), ascii(`${said.padEnd(size - 1)}\n`), new Uint8Array(data.buffer)]);
}
/** What is said in a .npy file, and the bytes of its numbers. */
function parts(bytes) {
  const start = 10 + bytes[8] + 256 * bytes[9];
  return [String.fromCharCode(...bytes.subarray(10, start)).trim(), bytes.slice(start)];
}

/** The bytes of an archive of files { name: bytes }. */
function zip(files) {
  const [contents, list] = [[], []];
  let at = 0;
  for (const [name, bytes] of Object.entries(files)) {
    // Version 2.0, no flags, stored, on the first day of 1980: it stands before the file, and in the list at the end.
    const same = [u16(20, 0, 0, 0, 33), u32(crc32(bytes), bytes.length, bytes.length), u16(name.length, 0)];
    list.push(u32(CENTRAL), u16(20), ...same, u16(0, 0, 0), u32(0, at), ascii(name));
    contents.push(u32(LOCAL), ...same, ascii(name), bytes);
    at += 30 + name.length + bytes.length;
  }
  const count = Object.keys(files).length;
  return join([...contents, ...list, u32(END), u16(0, 0, count, count), u32(join(list).length, at), u16(0)]);
}
/** The files of an archive; throws where it is not whole, or packed. */
function unzip(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const two = (at) => view.getUint16(at, true);
  const four = (at) => view.getUint32(at, true);
  const end = bytes.length - 22;
  const found = {};
  let all = 0;
  if (four(end) !== END) throw new Error("no end");
  for (let k = two(end + 10), at = four(end + 16); k; k--) {
    if (four(at) !== CENTRAL || two(at + 10)) throw new Error("no entry, or a packed one");
    const [crc, size, from, length] = [four(at + 16), four(at + 24), four(at + 42), two(at + 28)];
    const start = from + 30 + two(from + 26) + two(from + 28);
    const content = bytes.slice(start, start + size);
    if ((all += size) > end || crc32(content) !== crc) throw new Error("damaged"); // or more in it than it is long
    found[String.fromCharCode(...bytes.subarray(at + 46, at + 46 + length))] = content;
    at += 46 + length + two(at + 30) + two(at + 32);
  }
  return found;
}

/** How a model with these sizes is made, in the words of rnncourse.Model.description. */
function described({ layer, D, H, O, loss }) {
  const own = { input_size: D, hidden_size: H, ...(layer === "gru" && { reset: "after" }), dtype: "float64" };
  return {
    layer: { kind: layer.toUpperCase(), arguments: own },
    readout: { hidden_size: H, output_size: O },
    dtype: "float64", loss, arrangement: "many-to-many", reduction: "mean",
  };
}
const odd = (what, given, expected) => Object.assign(new Error(what), { what, given, expected });
/** Throw unless `given` has all that `expected` has. */
function compare(given, expected) {
  for (const [what, value] of Object.entries(expected)) {
    if (value instanceof Object) compare(given[what], value);
    else if (given[what] !== value) throw odd(what, given[what], value);
  }
}

/** The file of a network { layer, D, H, O, loss } with its weights; `history` has lists of numbers by name, and `run`
 *  is noted beside them. */
export function pack(network, weights, history, run) {
  const { layer, D, H, O } = network;
  const header = { model: described(network), training: { best_epoch: 0, stopped: "", run } };
  const text = new TextEncoder().encode(JSON.stringify({ format: FORMAT, header }));
  const found = { "header.npy": npy([text.length], "|u1", text) };
  for (const [name, shape] of Object.entries(shapes(layer, D, H, O))) found[`params/${name}.npy`] = npy(shape, "<f8", weights[name]);
  for (const name in history) found[`${name}.npy`] = npy([history[name].length], "<f8", Float64Array.from(history[name]));
  return zip(found);
}

/** What `pack` was given, of a file. Throws an error with `what`, `given` and `expected` if the model is none of a kind
 *  that is made here (with `expected` undefined for a weight that is not finite), and another if it is no whole file. */
export function unpack(bytes) {
  const found = unzip(bytes);
  const numbersOf = (name) => new Float64Array(parts(found[name])[1].buffer);
  const { format, header } = JSON.parse(new TextDecoder().decode(parts(found["header.npy"])[1]));
  compare({ format }, { format: FORMAT });
  const { layer: { kind, arguments: sizes }, readout, loss } = header.model;
  const layer = String(kind).toLowerCase();
  if (!Object.hasOwn(CELLS, layer)) throw odd("layer", kind, "RNN, LSTM, GRU");
  const network = { layer, D: sizes.input_size, H: sizes.hidden_size, O: readout.output_size, loss };
  compare(header.model, described(network));
  const [weights, history] = [{}, {}];
  for (const [name, shape] of Object.entries(shapes(layer, network.D, network.H, network.O))) {
    const file = `params/${name}.npy`;
    compare({ [name]: parts(found[file])[0] }, { [name]: about(shape, "<f8") });
    weights[name] = numbersOf(file);
    if (weights[name].length !== shape.reduce((a, b) => a * b)) throw new Error(name);
    const bad = weights[name].find((v) => !Number.isFinite(v));
    if (bad !== undefined) throw odd(name, bad);
  }
  for (const name in found) if (/^(history|metrics)/.test(name)) history[name.slice(0, -4)] = [...numbersOf(name)];
  return { network, weights, history, run: header.training?.run ?? {} };
}
