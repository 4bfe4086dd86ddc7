// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The few clear bytes that packetisers and depacketisers need around a sealed frame, per codec;
// docs/encodings.md has them byte by byte. No DOM: runs in pages, workers and Node.
import { MAX_FRAME_BYTES, SealError } from './sframe.js';

const NOTHING = new Uint8Array(0);
const START_CODE = Uint8Array.of(0, 0, 0, 1);
const H264_KEY = Uint8Array.of(0x65, 0x88, 0x80); // An IDR slice whose first_mb_in_slice reads 0.
const H264_DELTA = Uint8Array.of(0x41, 0x9a, 0x20);
const H264_END = 0x80; // Payloaders take trailing zeros away; this stands behind them.
const MAX_NAL_UNITS = 4096; // A slice per macroblock row is 68 at 1080p.
const AV1_KEY = 0x0a; // A sequence header OBU with a size field.
const AV1_DELTA = 0x32; // A frame OBU with a size field.

const malformed = (text) => new SealError('malformed', text);

// A codec has wrap(frame): {lead, metadata, finish?}, where the sealed frame is
// finish(lead ‖ ciphertext), and unwrap(sealed): {metadata, sealed}.

// VP8 and VP9: the frame's own first bytes ----------------------------------------------------

function prefixCodec(name, widthOf, padding) {
  const shimOf = (bytes, extra) => {
    if (bytes.length === 0) throw new SealError('short-frame', `The ${name} frame is empty.`);
    const width = widthOf(bytes[0]);
    if (bytes.length < width + extra) throw new SealError('short-frame', `The ${name} frame is too short.`);
    return width;
  };
  return {
    wrap(frame) {
      const width = shimOf(frame, 0);
      const lead = new Uint8Array(width + padding);
      lead.set(frame.subarray(0, width));
      return { lead, metadata: lead };
    },
    unwrap(bytes) {
      const width = shimOf(bytes, padding) + padding;
      return { metadata: bytes.subarray(0, width), sealed: bytes.subarray(width) };
    },
  };
}

// rtpvp8pay decodes the first partition's header; four zero bytes read as "one partition".
const vp8 = prefixCodec('VP8', (first) => ((first & 0x01) === 0 ? 10 : 3), 4);
const vp9 = prefixCodec('VP9', (first) => ((first & 0x0c) === 0 ? 10 : 1), 0);

const opus = {
  wrap: () => ({ lead: NOTHING, metadata: NOTHING }),
  unwrap: (bytes) => ({ metadata: NOTHING, sealed: bytes }),
};

// H.264 --------------------------------------------------------------------------------------

/** [start, end) of each NAL unit of a byte stream; zero bytes at its end are not of it. */
function nalUnits(bytes) {
  const units = [];
  const close = (end) => {
    const unit = units[units.length - 1];
    if (!unit) return;
    let last = end;
    while (last > unit[0] && bytes[last - 1] === 0) last -= 1;
    unit[1] = last;
  };
  let at = bytes.indexOf(0);
  while (at >= 0 && at + 2 < bytes.length) {
    if (bytes[at + 1] === 0 && bytes[at + 2] === 1) {
      close(at);
      if (units.length === MAX_NAL_UNITS) throw malformed('Too many NAL units.');
      units.push([at + 3, bytes.length]);
      at += 2;
    }
    at = bytes.indexOf(0, at + 1);
  }
  close(bytes.length);
  return units.filter(([start, end]) => end > start);
}

/** Emulation prevention (ISO 14496-10, 7.4.1): no 000000 to 000003 in what comes out. */
export function escape(bytes) {
  const places = [];
  let at = bytes.indexOf(0); // Looks for zeros natively instead of stepping.
  while (at >= 0 && at + 2 < bytes.length) {
    if (bytes[at + 1] === 0 && bytes[at + 2] <= 3) {
      places.push(at + 2);
      at += 1;
    }
    at = bytes.indexOf(0, at + 1);
  }
  if (places.length === 0) return bytes;
  const out = new Uint8Array(bytes.length + places.length);
  let from = 0;
  places.forEach((place, index) => {
    out.set(bytes.subarray(from, place), from + index);
    out[place + index] = 3;
    from = place;
  });
  out.set(bytes.subarray(from), from + places.length);
  return out;
}

export function unescape(bytes) {
  const places = [];
  let at = bytes.indexOf(0);
  while (at >= 0 && at + 2 < bytes.length) {
    if (bytes[at + 1] === 0 && bytes[at + 2] === 3) {
      places.push(at + 2);
      at += 2;
    }
    at = bytes.indexOf(0, at + 1);
  }
  if (places.length === 0) return bytes;
  const out = new Uint8Array(bytes.length - places.length);
  let from = 0;
  places.forEach((place, index) => {
    out.set(bytes.subarray(from, place), from - index);
    from = place + 1;
  });
  out.set(bytes.subarray(from), from - places.length);
  return out;
}

const h264 = {
  wrap(frame) {
    const units = nalUnits(frame);
    if (units.length === 0) throw malformed('No H.264 byte stream.');
    const type = ([start]) => frame[start] & 0x1f;
    const isKey = units.some((unit) => type(unit) === 5);
    const sets = isKey ? units.filter((unit) => type(unit) === 7 || type(unit) === 8) : [];
    const metadata = isKey ? H264_KEY : H264_DELTA;
    return {
      lead: NOTHING,
      metadata,
      finish(sealed) {
        const ended = new Uint8Array(sealed.length + 1);
        ended.set(sealed);
        ended[sealed.length] = H264_END;
        const parts = sets.flatMap(([start, end]) => [START_CODE, frame.subarray(start, end)]);
        parts.push(START_CODE, metadata, escape(ended));
        const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
        parts.reduce((at, part) => {
          out.set(part, at);
          return at + part.length;
        }, 0);
        return out;
      },
    };
  },
  unwrap(bytes) {
    const units = nalUnits(bytes).filter(([start]) => ![6, 7, 8, 9].includes(bytes[start] & 0x1f));
    if (units.length !== 1) throw malformed('Not one sealed NAL unit.');
    const unit = bytes.subarray(...units[0]);
    const metadata = [H264_KEY, H264_DELTA].find((shim) => shim.every((byte, index) => unit[index] === byte));
    if (!metadata) throw malformed('The NAL unit is not a sealed one.');
    const ended = unescape(unit.subarray(metadata.length));
    if (ended[ended.length - 1] !== H264_END) throw malformed('The sealed NAL unit is cut off.');
    return { metadata, sealed: ended.subarray(0, ended.length - 1) };
  },
};

// AV1 ----------------------------------------------------------------------------------------

const MAX_LEB128_BYTES = 8;

function leb128(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push(rest & 0x7f | 0x80);
  }
}

/** {value, length} of the LEB128 number at `at`. */
function readLeb128(bytes, at) {
  let value = 0;
  for (let index = 0; index < MAX_LEB128_BYTES && at + index < bytes.length; index += 1) {
    value += (bytes[at + index] & 0x7f) * 2 ** (7 * index);
    if ((bytes[at + index] & 0x80) === 0) return { value, length: index + 1 };
  }
  throw malformed('A size of the AV1 stream is cut off.');
}

/** Calls `seen(type)` for each OBU of a low-overhead stream; the last may lack its size. */
function eachObu(bytes, seen) {
  for (let at = 0; at < bytes.length;) {
    const header = bytes[at];
    if (header & 0x80) throw malformed('No AV1 stream.');
    seen(header >> 3 & 0x0f);
    at += header & 0x04 ? 2 : 1;
    if ((header & 0x02) === 0) return;
    const size = readLeb128(bytes, at);
    at += size.length + size.value;
    if (at > bytes.length) throw malformed('An AV1 unit is cut off.');
  }
}

const av1 = {
  wrap(frame) {
    let isKey = false;
    eachObu(frame, (type) => { isKey ||= type === 1; });
    const header = isKey ? AV1_KEY : AV1_DELTA;
    return {
      lead: NOTHING,
      metadata: Uint8Array.of(header),
      finish(sealed) {
        const size = leb128(sealed.length);
        const out = new Uint8Array(1 + size.length + sealed.length);
        out[0] = header;
        out.set(size, 1);
        out.set(sealed, 1 + size.length);
        return out;
      },
    };
  },
  unwrap(bytes) {
    let at = bytes[0] === 0x12 && bytes[1] === 0 ? 2 : 0; // A temporal delimiter.
    if (at >= bytes.length) throw malformed('The AV1 unit is empty.');
    const header = bytes[at] | 0x02;
    if (header !== AV1_KEY && header !== AV1_DELTA) throw malformed('The AV1 unit is not a sealed one.');
    const sized = (bytes[at] & 0x02) !== 0;
    at += 1;
    if (sized) {
      const size = readLeb128(bytes, at);
      at += size.length;
      if (at + size.value !== bytes.length) throw malformed('The sealed AV1 unit has another size than it says.');
    }
    return { metadata: Uint8Array.of(header), sealed: bytes.subarray(at) };
  },
};

const CODECS = new Map(Object.entries({
  'video/vp8': vp8, 'video/vp9': vp9, 'video/h264': h264, 'video/av1': av1, 'audio/opus': opus,
}));

/** The shim of a codec by its MIME type, as browsers name it. */
export function shimFor(mimeType) {
  const codec = CODECS.get(String(mimeType).toLowerCase());
  if (!codec) throw new SealError('unknown-codec', `${mimeType || 'This codec'} cannot be sealed.`);
  return codec;
}

/** Whether a browser's frame in this codec can be sealed. */
export const canSeal = (mimeType) => CODECS.has(String(mimeType).toLowerCase());

/** Seals a whole encoded frame with a SealingKey. */
export async function sealFrame(mimeType, key, frame) {
  if (frame.length > MAX_FRAME_BYTES) throw new SealError('too-large', 'The frame is too large.');
  const { lead, metadata, finish } = shimFor(mimeType).wrap(frame);
  const sealed = await key.seal(frame, metadata, lead);
  return finish ? finish(sealed) : sealed;
}

/** Takes the shim off: {metadata, sealed}, for OpeningKey.open(). */
export function unwrapFrame(mimeType, bytes) {
  if (bytes.length > MAX_FRAME_BYTES) throw new SealError('too-large', 'The frame is too large.');
  return shimFor(mimeType).unwrap(bytes);
}
