// Writing with the model: a beginning, how tokens are chosen, the text, the next token, and who looks at whom.

const { signs, characters, begin, model, files } = data
const worker = new Worker(URL.createObjectURL(new Blob([data.worker], { type: 'text/javascript' })))
const order = new Map(characters.map((character, i) => [character, i + 1]))
const folds = new Map(Object.entries(data.folds).flatMap(([text, from]) => Array.from(from, character => [character, text])))
const likeliest = 8
let tokens = [] // of the text, each as the worker tells it
let typed = 0 // so many of them were not written by the model
let now = { t: 0, head: 0 } // the token that is looked at, and the head
let writing = false

// -- text to ids and back ------------------------------------------------------------------------

// A beginning as the tokenizer folds it in Python -> ids, and the characters that the model does not know
function encode(text) {
  const lost = new Set()
  const known = character => {
    if (!characters.length) return !model.running && /[\s\p{Cc}]/u.test(character) ? ' ' : character
    if (order.has(character)) return character
    if (folds.has(character)) return folds.get(character)
    const pieces = Array.from(character.normalize('NFKD').replace(/\p{M}/gu, ''))
    if (!pieces.length) return ''
    if (!/\s/.test(character)) lost.add(character)
    else if (!data.gap) lost.add('spaces')
    return data.gap.repeat(pieces.length)
  }
  let folded = Array.from(model.running ? text : text.normalize('NFC'), known).join('')
  if (!model.running) folded = folded.replace(/ +/g, ' ').replace(/^ | $/g, '') + (text.endsWith(' ') ? data.gap : '')
  const ids = characters.length ? Array.from(folded, c => order.get(c)) : Array.from(new TextEncoder().encode(folded))
  return { ids, lost: [...lost] }
}

function decode(list) {
  const ids = list.map(({ id }) => id)
  return characters.length ? ids.map(id => characters[id - 1] ?? '').join('') : new TextDecoder().decode(Uint8Array.from(ids.filter(id => id < 256)))
}

// -- the parts of the page -----------------------------------------------------------------------

const field = (label, attributes) => {
  const input = make('input', attributes)
  const told = make('output', {}, input.value)
  input.addEventListener('input', () => { told.textContent = input.value })
  return { input, row: make('label.field', {}, make('span', {}, label), input, told) }
}
const beginning = make('textarea', { rows: 2, 'aria-label': 'Beginning', spellcheck: 'false', oninput: follow }, '')
const note = make('p.note', { role: 'status' })
const temperature = field('Temperature', { type: 'range', min: 0, max: 1.5, step: 0.05, value: 0.8 })
const topK = field('Of the likeliest', { type: 'range', min: 1, max: signs.length, value: signs.length })
const seed = make('input', {
  type: 'number', min: 0, max: 2 ** 32 - 1, step: 1, value: 0, 'aria-label': 'Seed',
  onchange: () => { seed.value = Math.min(Math.max(Math.trunc(seed.valueAsNumber) || 0, 0), 2 ** 32 - 1) },
})
const start = make('button.play', { type: 'button', onclick: () => (writing ? stop() : write(model.running ? 500 : Infinity)) }, 'Write')
const one = make('button', { type: 'button', onclick: () => write(1) }, 'One token')
const again = make('button', { type: 'button', onclick: () => { seed.value = Number(seed.value) + 1; follow(); write(model.running ? 500 : Infinity) } }, 'Another')
const status = make('output', { 'aria-live': 'off' })
let pace = 0
const paces = choice('Pace', ['as fast as it can', 'slowly'], i => { pace = [0, 150][i] })
const text = make('div.sentence', { role: 'group', 'aria-label': 'The text; choose a token', onkeydown: step })
const heading = make('h3')
const bars = make('div.bars')
const heads = make('div.gazes')
const headTitle = make('h3')
const weights = make('div.sentence', { role: 'img', 'aria-label': 'Attention weights' })

section('write', 'Write', `Type how a text begins; the model goes on from there, one token after the other. ${data.about}`,
  beginning, note,
  make('div.controls', {}, make('div.choice', {}, start, one, again), paces),
  make('div.fields', {}, temperature.row, topK.row, make('label.field', {}, make('span', {}, 'Seed'), seed)),
  make('p.label', {}, 'The text. Point at a token to see what the model made of it'), text, status)
section('next', 'The next token', 'After the chosen token the model gives every token it knows a probability. Temperature sharpens ' +
  'them, below 1, or levels them out; then one is drawn.', heading, bars)
section('attention', 'Attention', 'What each head looks at from the chosen token: the weights of all tokens up to it, which sum to 1. ' +
  'Choose a head.', heads, headTitle, weights)
section('more', 'More', 'In the run’s directory there are other pages of the same model, if this file is still beside them.',
  make('p', {}, ...files.flatMap(([file, what]) => [make('a', { href: file }, what), make('br')])))

const rows = Array.from({ length: model.blocks }, (_, b) => {
  const buttons = Array.from({ length: model.heads }, (_, h) => make('button.gaze', {
    type: 'button', 'aria-label': `block ${b}, head ${h}`, 'aria-pressed': 'false',
    onclick: () => { now.head = b * model.heads + h; show() },
  }, picture({ shape: [1, 1], scale: 1, numbers: [0] }, `block ${b}, head ${h}`)))
  heads.append(make('div', { role: 'group', 'aria-label': `block ${b}` }, make('span.kind', {}, `block ${b}`), ...buttons))
  return buttons
}).flat()

// -- what happens --------------------------------------------------------------------------------

function ask(message) {
  worker.postMessage(message)
}

function follow() {
  stop()
  const { ids, lost } = encode(beginning.value)
  const whole = model.running && ids.length ? ids : [...begin, ...ids]
  const all = model.running ? whole : whole.slice(0, model.most - 1)
  const notes = []
  if (lost.length) notes.push(`${data.gap ? 'read as spaces' : 'left out'}, because the model does not know them: ${lost.join(' ')}`)
  if (all.length < whole.length) notes.push(`cut to ${all.length - 1} tokens, so that one can follow`)
  note.textContent = notes.join('; ')
  typed = all.length
  ask({ ids: all })
}

function write(length) {
  if (tokens.length > typed && length !== 1) follow() // a whole text begins anew
  writing = true
  start.textContent = 'Stop'
  const chosen = { temperature: Number(temperature.input.value), topK: Number(topK.input.value) }
  const drawn = Number(seed.value) + (length === 1 ? tokens.length : 0)
  ask({ write: { ...chosen, seed: drawn, length, pace } })
}

function stop() {
  if (writing) ask({})
  writing = false
  start.textContent = 'Write'
}

worker.onmessage = ({ data: told }) => {
  const follows = now.t >= tokens.length - 1 // whoever looks at an earlier token goes on doing so
  tokens.length = Math.min(tokens.length, told.from)
  tokens.push(...told.tokens)
  if (follows || now.t >= tokens.length) now.t = tokens.length - 1
  if (told.written) status.textContent = `${count(tokens.length - typed, 'token')} written, ${Math.round(told.rate).toLocaleString('en')} a second`
  if (told.ended) stop()
  drawSoon()
}
worker.onerror = event => { note.textContent = `the model stopped: ${event.message}` }

let asked = false
function drawSoon() {
  if (asked) return
  asked = true
  requestAnimationFrame(() => { asked = false; showText(); show() })
}

// -- drawing -------------------------------------------------------------------------------------

function showText() {
  while (text.children.length > tokens.length) text.lastChild.remove()
  tokens.forEach(({ id }, t) => {
    const button = text.children[t] ?? text.appendChild(make('button.sign', { type: 'button', onclick: () => look(t), onfocus: () => look(t), onpointerenter: () => look(t) }))
    button.textContent = signs[id]
    button.setAttribute('aria-label', `${signs[id]}, position ${t}`)
    button.classList.toggle('written', t >= typed)
  })
}

function look(t) {
  if (now.t === t) return
  now.t = t
  show()
}

function step(event) {
  const places = { ArrowLeft: now.t - 1, ArrowRight: now.t + 1, Home: 0, End: tokens.length - 1 }
  text.children[places[event.key]]?.focus()
}

function show() {
  if (!tokens.length) return
  const { id, start: first, scores, attention } = tokens[now.t]
  Array.from(text.children).forEach((button, t) => {
    button.setAttribute('aria-pressed', String(t === now.t))
    button.tabIndex = t === now.t ? 0 : -1
  })
  const p = probabilities(scores, Number(temperature.input.value))
  const came = tokens[now.t + 1]?.id
  const before = tokens.slice(Math.max(0, now.t - 20), now.t + 1).map(token => signs[token.id]).join('')
  heading.textContent = `After “${before}”`
  const top = Array.from(p.keys()).sort((a, b) => p[b] - p[a]).slice(0, likeliest)
  bars.replaceChildren(...top.map(i => make(i === came ? 'div.bar.right' : 'div.bar', {},
    make('span.sign', {}, signs[i]), make('span.track', {}, make('span', { style: `width:${100 * p[i]}%` })), make('span.figure', {}, percent(p[i])))))
  const length = attention.length / rows.length
  rows.forEach((button, i) => {
    button.setAttribute('aria-pressed', String(i === now.head))
    const canvas = button.firstChild
    canvas.width = Math.max(length, 1)
    canvas.packed = { shape: [1, length], scale: 1, numbers: attention.subarray(i * length, (i + 1) * length) }
    draw(canvas)
  })
  const own = attention.subarray(now.head * length, (now.head + 1) * length)
  const most = Math.max(...own)
  headTitle.textContent = `Block ${Math.floor(now.head / model.heads)}, head ${now.head % model.heads}: from ${signs[id]}, position ${now.t}`
  weights.replaceChildren(...Array.from(own, (w, s) => {
    const cell = make('span.sign', { title: percent(w) }, signs[tokens[first + s].id])
    tint(cell, w / most)
    return cell
  }))
}

// softmax(scores / temperature); at 0 all goes to the likeliest
function probabilities(scores, temperature) {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  const e = Float64Array.from(scores, x => (temperature ? Math.exp((x - largest) / temperature) : Number(x === largest)))
  const total = e.reduce((a, b) => a + b, 0)
  return e.map(x => x / total)
}

temperature.input.addEventListener('input', show)
document.getElementById('lead').textContent = data.lead
ask({ model: { ...model, weights: data.weights } })
follow()
