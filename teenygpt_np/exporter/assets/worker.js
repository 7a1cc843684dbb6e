// The model, in a Worker: it reads token after token, and writes on by what it has read.
'use strict'

let model // settings, and matrices as Float32Array, row after row
let read = [] // the tokens in the cache, which are those of the text from `start` on
let start = 0
let scores // the logits of the token after them
let turn = 0 // a new message ends what an older one began

onmessage = async ({ data: message }) => {
  const mine = ++turn
  if (message.model) model = loaded(message.model)
  if (message.ids) follow(message.ids)
  if (message.write) await write(message.write, mine)
}

// Read a text, but for what has been read of it already. The last token is read in any case.
function follow(ids) {
  const differs = read.findIndex((id, i) => id !== ids[start + i])
  const same = Math.min(differs < 0 ? read.length : differs, ids.length - start - 1)
  if (same <= 0 || ids.length - start > model.most) restart(ids.length > model.most ? ids.length - (model.most >> 1) : 0)
  else read.length = same
  const from = start + read.length
  postMessage({ from, tokens: ids.slice(from).map(next) })
}

function restart(at) {
  start = at
  read = []
}

// Write until the end, a message, or so many tokens. pace: milliseconds a token, 0: none
async function write({ temperature, topK, seed, length, pace }, mine) {
  const random = generator(seed)
  const began = performance.now()
  let wrote = 0
  while (mine === turn) {
    const pause = performance.now() + 30
    const tokens = []
    let ended = false
    do {
      const id = choose(scores, temperature, topK, random())
      ended = id === model.end || (read.length === model.most && !model.running)
      if (ended) break
      if (read.length === model.most) { // running text goes on from the last half of it
        const half = read.slice(-(model.most >> 1))
        restart(start + read.length - half.length)
        half.forEach(next)
      }
      tokens.push(next(id))
      ended = ++wrote === length
    } while (!ended && !pace && performance.now() < pause)
    postMessage({ from: start + read.length - tokens.length, tokens, written: true, ended, rate: wrote / (performance.now() - began) * 1000 })
    if (ended) return
    await new Promise(go => setTimeout(go, pace))
  }
}

// Read one token. scores: the logits of the one after it. attention: for each block, for each head in it, the weights
// of the tokens from `start` to this one
function next(id) {
  const { width, heads, blocks, cache } = model
  const t = read.length
  const size = width / heads
  const attention = new Float32Array(blocks.length * heads * (t + 1))
  let x = new Float32Array(width)
  for (let i = 0; i < width; i++) x[i] = model.embedding[id * width + i] + (model.positions?.[t * width + i] ?? 0)
  blocks.forEach((block, b) => {
    const qkv = linear(block.in, x)
    if (model.rotary) turned(qkv.subarray(0, 2 * width), t, size)
    const { keys, values } = cache[b]
    keys.set(qkv.subarray(width, 2 * width), t * width)
    values.set(qkv.subarray(2 * width), t * width)
    const mixed = new Float32Array(width)
    for (let h = 0; h < heads; h++) {
      const weights = attention.subarray((b * heads + h) * (t + 1), (b * heads + h + 1) * (t + 1))
      for (let s = 0; s <= t; s++) {
        let score = 0
        for (let i = h * size; i < (h + 1) * size; i++) score += qkv[i] * keys[s * width + i]
        weights[s] = score / Math.sqrt(size)
      }
      softmax(weights)
      for (let s = 0; s <= t; s++) {
        for (let i = h * size; i < (h + 1) * size; i++) mixed[i] += weights[s] * values[s * width + i]
      }
    }
    x = normalized(block.norm1, x, linear(block.out, mixed))
    x = normalized(block.norm2, x, linear(block.second, linear(block.first, x).map(gelu)))
  })
  scores = linear(model.logits, x)
  read.push(id)
  return { id, start, scores, attention }
}

// In place: each pair of entries 2i and 2i + 1 of each head is turned by t a_i, with a_i from 1 to 1/10000 in equal
// factors. x: heads one after the other, of queries and of keys. Su et al., RoFormer, 2021, section 3.2
function turned(x, t, size) {
  for (let i = 0; i < size; i += 2) {
    const angle = t * 10000 ** (-i / Math.max(size - 2, 1))
    const cos = Math.cos(angle), sin = Math.sin(angle)
    for (let at = i; at < x.length; at += size) {
      const a = x[at], b = x[at + 1]
      x[at] = a * cos - b * sin
      x[at + 1] = a * sin + b * cos
    }
  }
}

// y = x W^T + b. Four sums at a time, since each addition would wait for the one before it
function linear({ weight, bias }, x) {
  const y = new Float32Array(bias.length)
  const n = x.length
  for (let o = 0, at = 0; o < y.length; o++) {
    let s0 = bias[o], s1 = 0, s2 = 0, s3 = 0, i = 0
    for (; i + 3 < n; i += 4, at += 4) {
      s0 += x[i] * weight[at]
      s1 += x[i + 1] * weight[at + 1]
      s2 += x[i + 2] * weight[at + 2]
      s3 += x[i + 3] * weight[at + 3]
    }
    for (; i < n; i++) s0 += x[i] * weight[at++]
    y[o] = s0 + s1 + s2 + s3
  }
  return y
}

// LayerNorm(x + z)
function normalized({ weight, bias, eps }, x, z) {
  const n = x.length
  const sum = x.map((xi, i) => xi + z[i])
  const mean = sum.reduce((a, b) => a + b, 0) / n
  const scale = 1 / Math.sqrt(sum.reduce((a, b) => a + (b - mean) ** 2, 0) / n + eps)
  return sum.map((s, i) => (s - mean) * scale * weight[i] + bias[i])
}

// In place; returns the same array.
function softmax(scores) {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  let total = 0
  for (let s = 0; s < scores.length; s++) total += scores[s] = Math.exp(scores[s] - largest)
  for (let s = 0; s < scores.length; s++) scores[s] /= total
  return scores
}

// x P(Z <= x). erf by Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 7.1.26, within 1.5e-7
function gelu(x) {
  const z = Math.abs(x) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * z)
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-z * z)
  return x * (x < 0 ? tail / 2 : 1 - tail / 2)
}

// The token at which the running sum of the probabilities passes u, of the k likeliest. temperature 0: the likeliest
function choose(logits, temperature, k, u) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a]).slice(0, k || undefined)
  if (!temperature) return order[0]
  const p = softmax(Float64Array.from(order, i => logits[i] / temperature))
  let left = u
  return order[p.findIndex(share => (left -= share) < 0)] ?? order[0]
}

// PCG32: numbers in 0..1. O'Neill, PCG, 2014, section 6.3
function generator(seed) {
  const mask = (1n << 64n) - 1n
  let state = 0n
  const step = () => {
    const old = state
    state = (old * 6364136223846793005n + 1442695040888963407n) & mask
    const mixed = Number((((old >> 18n) ^ old) >> 27n) & 0xffffffffn)
    const turns = Number(old >> 59n)
    return ((mixed >>> turns) | (mixed << (-turns & 31))) >>> 0
  }
  step()
  state = (state + BigInt(seed)) & mask
  step()
  return () => step() / 2 ** 32
}

// The model in the form that `next` wants.
function loaded({ weights, ...settings }) {
  const array = name => numbers(weights[name])
  const layer = name => ({ weight: array(`${name}.weight`), bias: array(`${name}.bias`) })
  const norm = name => ({ ...layer(name), eps: settings.eps })
  const { width, most } = settings
  const blocks = Array.from({ length: settings.blocks }, (_, b) => {
    const block = `transformer_blocks.${b}`
    return {
      in: { weight: array(`${block}.msha.in_proj_weight`), bias: array(`${block}.msha.in_proj_bias`) },
      out: layer(`${block}.msha.out_proj`),
      norm1: norm(`${block}.layer_norm1`),
      first: layer(`${block}.mlp.0`),
      second: layer(`${block}.mlp.2`),
      norm2: norm(`${block}.layer_norm2`),
    }
  })
  return {
    ...settings,
    blocks,
    embedding: array('embedding.weight'),
    positions: weights['positional_embedding.weight'] && array('positional_embedding.weight'),
    logits: layer('logits.0'),
    cache: blocks.map(() => ({ keys: new Float32Array(most * width), values: new Float32Array(most * width) })),
  }
}

// An array that Python packed: float32, or int8 with a scale for each row.
function numbers({ float32, int8, scale }) {
  const raw = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer
  if (float32 != null) return new Float32Array(raw(float32))
  const integers = new Int8Array(raw(int8))
  const scales = new Float32Array(raw(scale))
  const columns = integers.length / scales.length
  return Float32Array.from(integers, (q, i) => q * scales[Math.floor(i / columns)])
}
