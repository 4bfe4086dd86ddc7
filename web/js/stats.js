// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// RTCPeerConnection statistics as the few numbers people ask for. Rates are over the time since
// the last call; the first call gives totals' state only.

const kind = (report, type, media) =>
  [...report.values()].find((each) => each.type === type && each.kind === media);

function path(report) {
  const transport = [...report.values()].find((each) => each.type === 'transport');
  const chosen = transport && report.get(transport.selectedCandidatePairId);
  return chosen || [...report.values()].find(
    (each) => each.type === 'candidate-pair' && each.nominated && each.state === 'succeeded');
}

const codecName = (report, stream) =>
  report.get(stream?.codecId)?.mimeType.replace(/^\w+\//, '') ?? '';

export class StatsReader {
  #pc; #last = null;

  constructor(pc) { this.#pc = pc; }

  /**
   * Fields (null when unknown): width, height, fps, frames (decoded or encoded so far), videoKbps,
   * audioKbps, videoCodec, audioCodec, lossPercent, rttMs, bufferMs (spent in the jitter buffer),
   * delayMs (network one way plus buffer), jitterMs.
   */
  async read() {
    const report = await this.#pc.getStats();
    const receiving = Boolean(kind(report, 'inbound-rtp', 'video') || kind(report, 'inbound-rtp', 'audio'));
    const type = receiving ? 'inbound-rtp' : 'outbound-rtp';
    const video = kind(report, type, 'video');
    const audio = kind(report, type, 'audio');
    const pair = path(report);
    const now = {
      time: performance.now(),
      videoBytes: video?.bytesReceived ?? video?.bytesSent ?? 0,
      audioBytes: audio?.bytesReceived ?? audio?.bytesSent ?? 0,
      frames: video?.framesDecoded ?? video?.framesEncoded ?? 0,
      received: (video?.packetsReceived ?? 0) + (audio?.packetsReceived ?? 0),
      lost: (video?.packetsLost ?? 0) + (audio?.packetsLost ?? 0),
      buffer: video?.jitterBufferDelay ?? audio?.jitterBufferDelay ?? 0,
      emitted: video?.jitterBufferEmittedCount ?? audio?.jitterBufferEmittedCount ?? 0,
    };
    const last = this.#last;
    this.#last = now;
    const rtt = pair?.currentRoundTripTime;
    const out = {
      width: video?.frameWidth ?? null, height: video?.frameHeight ?? null,
      fps: null, frames: now.frames, videoKbps: null, audioKbps: null,
      videoCodec: codecName(report, video), audioCodec: codecName(report, audio),
      lossPercent: null, rttMs: rtt === undefined ? null : rtt * 1000,
      bufferMs: null, delayMs: null,
      jitterMs: video?.jitter === undefined ? null : video.jitter * 1000,
      receiving,
    };
    if (!receiving) {
      const remote = kind(report, 'remote-inbound-rtp', 'video') ?? kind(report, 'remote-inbound-rtp', 'audio');
      if (remote?.fractionLost !== undefined) out.lossPercent = remote.fractionLost * 100;
      if (remote?.roundTripTime !== undefined) out.rttMs = remote.roundTripTime * 1000;
    }
    const seconds = last ? (now.time - last.time) / 1000 : 0;
    if (seconds <= 0) return out;
    const rate = (name) => Math.max(0, now[name] - last[name]) / seconds;
    out.fps = rate('frames');
    out.videoKbps = rate('videoBytes') * 8 / 1000;
    out.audioKbps = rate('audioBytes') * 8 / 1000;
    if (receiving) {
      const lost = Math.max(0, now.lost - last.lost);
      const all = lost + Math.max(0, now.received - last.received);
      out.lossPercent = all ? lost / all * 100 : 0;
      const emitted = now.emitted - last.emitted;
      if (emitted > 0) {
        out.bufferMs = (now.buffer - last.buffer) / emitted * 1000;
        out.delayMs = out.bufferMs + (out.rttMs ?? 0) / 2;
      }
    }
    return out;
  }
}

const number = (value, unit, digits = 0) =>
  value === null || Number.isNaN(value) ? '–' : `${value.toFixed(digits)}${unit}`;

/** [label, text, explanation] rows for a person. */
export function describe(stats) {
  const codecs = [stats.videoCodec, stats.audioCodec].filter(Boolean).join(' + ');
  const rows = [
    ['Resolution', stats.width ? `${stats.width} × ${stats.height}` : '–'],
    ['Frame rate', number(stats.fps, ' fps', 1)],
    ['Video', number(stats.videoKbps, ' kbit/s')],
    ['Sound', number(stats.audioKbps, ' kbit/s')],
  ];
  if (stats.receiving) {
    rows.push(['Delay', number(stats.delayMs, ' ms')], ['Buffer', number(stats.bufferMs, ' ms')]);
  } else {
    rows.push(['Round trip', number(stats.rttMs, ' ms')]);
  }
  rows.push(['Loss', number(stats.lossPercent, ' %', 1)], ['Codec', codecs || '–']);
  return rows;
}
