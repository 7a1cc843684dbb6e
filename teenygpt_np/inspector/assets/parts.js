// Building blocks of all parts of the page: elements, numbers, pictures, histograms, tables.

const data = JSON.parse(document.getElementById('data').textContent)

// make('button.card', {title: 'x', onclick: f}, 'text', child, ...)
function make(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split('.')
  const drawn = ['svg', 'path', 'rect', 'line', 'text', 'g', 'circle', 'polyline'].includes(tag)
  const element = drawn
    ? document.createElementNS('http://www.w3.org/2000/svg', tag)
    : document.createElement(tag)
  if (classes.length) element.setAttribute('class', classes.join(' '))
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value != null) element.setAttribute(name, value)
  }
  element.append(...children.flat().filter(child => child != null))
  return element
}

// Four digits, as Python's '%.4g' gives them; null stands for a number that was not finite.
function digits(x, n = 4) {
  if (x == null) return 'not finite'
  if (x === 0) return '0'
  const size = Math.floor(Math.log10(Math.abs(Number(x.toPrecision(n)))))
  if (size < -4 || size >= n + 2) return x.toExponential(n - 1).replace(/\.?0+e/, 'e').replace('-', '−').replace('e-', 'e−').replace('e+', 'e')
  const text = size >= n ? x.toFixed(0) : x.toPrecision(n)
  return (text.includes('.') ? text.replace(/\.?0+$/, '') : text).replace('-', '−')
}

// A module's name without its last part, which is the mixer's in a block.
const blockOf = name => name.replace(/\.\w+$/, '')

// A long name may be broken after each _.
const breakable = name => name.split(/(?<=_)/).flatMap(part => [part, make('wbr')]).slice(0, -1)

const percent = x => (x == null ? '–' : x > 0 && x < 0.0005 ? digits(100 * x, 2) + '%' : (100 * x).toFixed(1) + '%')
const count = (n, what) => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`
const shapeOf = shape => (shape.length ? shape.join(' × ') : 'scalar')

function bytes(n) {
  for (const unit of ['B', 'kB']) {
    if (n < 1000) return Number(n.toPrecision(3)) + ' ' + unit
    n /= 1000
  }
  return Number(n.toPrecision(3)) + ' MB'
}

// The numbers in an array that Python packed (pack.py), row after row.
function unpack(packed) {
  if (packed.numbers) return packed.numbers
  const raw = Uint8Array.from(atob(packed.data), c => c.charCodeAt(0))
  const [rows, columns] = packed.shape
  const wide = raw.length > rows * columns
  const integers = wide ? new Int16Array(raw.buffer) : new Int8Array(raw.buffer)
  const unit = packed.scale / (wide ? 32767 : 127)
  packed.numbers = new Float64Array(rows * columns)
  for (let row = 0, start = 0; row < rows; row++) {
    const length = packed.lower ? row + 1 : columns
    for (let i = 0; i < length; i++) packed.numbers[row * columns + i] = unit * integers[start + i]
    start += length
  }
  return packed.numbers
}

// -- pictures: the accent for what is above 0, ink for what is below, paper for 0 ------------------

function colours() {
  const style = getComputedStyle(document.documentElement)
  return ['--paper', '--accent', '--ink'].map(name => {
    const hex = style.getPropertyValue(name).trim()
    return [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16))
  })
}

function draw(canvas) {
  const [paper, above, below] = colours()
  const numbers = unpack(canvas.packed)
  const [rows, columns] = canvas.packed.shape
  const image = new ImageData(columns, rows)
  numbers.forEach((x, i) => {
    const towards = x < 0 ? below : above
    const strength = Math.sqrt(Math.min(1, Math.abs(x) / canvas.packed.scale)) // small ones show too
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = paper[k] + (towards[k] - paper[k]) * strength
    image.data[4 * i + 3] = 255
  })
  canvas.getContext('2d').putImageData(image, 0, 0)
}

function picture(packed, label, kind = 'canvas.picture') {
  const [rows, columns] = packed.shape
  const canvas = make(kind, { width: columns, height: rows, role: 'img', 'aria-label': label })
  canvas.packed = packed
  draw(canvas)
  return canvas
}

// A large picture: a square, or, in proportion, with squares for entries.
function captioned(packed, title, proportional = false) {
  const [rows, columns] = packed.shape
  const canvas = picture(packed, title, 'canvas.picture.matrix')
  if (proportional) {
    canvas.style.aspectRatio = `${columns} / ${rows}`
    canvas.style.setProperty('--share', Math.min(1, columns / rows))
  }
  return make('figure', {}, canvas, make('figcaption', {}, title))
}

// Rows of small pictures, one row for each block, of which one picture is chosen.
function gallery(blocks, choose) {
  const rows = blocks.map(({ name, pictures, titles }, b) =>
    make('div.heads', { role: 'group', 'aria-label': name },
      make('span.kind', {}, name),
      ...pictures.map((packed, i) =>
        make('button.head', { type: 'button', 'aria-label': titles[i], 'aria-pressed': 'false', onclick: () => choose(b, i) },
          picture(packed, titles[i])))))
  const all = make('div', {}, ...rows)
  all.press = (block, i) => rows.forEach((row, b) => row.querySelectorAll('button').forEach((button, j) =>
    button.setAttribute('aria-pressed', String(b === block && j === i))))
  return all
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () =>
  document.querySelectorAll('canvas').forEach(draw)
)

// Tints a character by a strength, -1..1; at full strength it can still be read.
function tint(element, strength) {
  const [colour, most] = strength < 0 ? ['--ink', 38] : ['--accent', 55]
  const share = Math.round(most * Math.sqrt(Math.min(1, Math.abs(strength))))
  element.style.background = `color-mix(in srgb, var(${colour}) ${share}%, var(--paper))`
}

function histogram(of, label) {
  const { counts, from, to } = of.histogram
  const most = Math.max(...counts, 1)
  const bars = counts.map((n, i) =>
    make('rect', { x: i * 8, y: 60 - (60 * n) / most, width: 7, height: (60 * n) / most })
  )
  const size = { viewBox: `0 0 ${counts.length * 8} 60`, role: 'img', 'aria-label': label }
  return make(
    'figure.histogram', {},
    make('svg', { ...size, preserveAspectRatio: 'none' }, ...bars),
    make('figcaption', {}, make('span', {}, digits(from)), make('span', {}, digits(to)))
  )
}

// rows: lists of texts or elements; columns of figures are right-aligned
function table(head, rows, caption) {
  const figure = x => (/^[−\d]/.test(x) ? '.figure' : '')
  const cell = x => make('td' + figure(x), {}, x)
  return make(
    'div.scroll', { tabindex: 0, role: 'region', 'aria-label': caption },
    make(
      'table', {},
      make('caption', {}, caption),
      make('thead', {}, make('tr', {}, ...head.map((name, i) => make('th' + figure(rows[0]?.[i]), { scope: 'col' }, name)))),
      make('tbody', {}, ...rows.map(row => make('tr', {}, ...row.map(cell))))
    )
  )
}

const asTable = (head, rows, caption) =>
  make('details', {}, make('summary', {}, 'The numbers as a table'), table(head, rows, caption))

// Puts a new table in the old one's place, open if that was.
function renew(holder, ...of) {
  const details = asTable(...of)
  details.open = Boolean(holder.querySelector('details')?.open)
  holder.replaceChildren(details)
}

// Buttons of which one is chosen. choose(i) is called for the first, and at every change.
function choice(label, names, choose, first = 0) {
  const buttons = names.map((name, i) =>
    make('button', { type: 'button', 'aria-pressed': 'false', onclick: () => set(i) }, name)
  )
  function set(i) {
    buttons.forEach((button, j) => button.setAttribute('aria-pressed', String(i === j)))
    choose(i)
  }
  set(first)
  return make('div.choice', { role: 'group', 'aria-label': label }, ...buttons)
}

// The text as a row with a button for each token: the one that is pointed at or focused is chosen.
// Tab goes to the chosen one, the arrow keys move along the row. places: of those that are buttons
function sentence(signs, label, choose, places = [...signs.keys()]) {
  const buttons = places.map((place, i) =>
    make('button.sign', { type: 'button', 'aria-label': `${signs[place]}, position ${place}`, onclick: () => choose(i), onfocus: () => choose(i), onpointerenter: () => choose(i) }, signs[place])
  )
  const cells = signs.map((sign, place) => buttons[places.indexOf(place)] ?? make('span.sign', {}, sign))
  const step = event => buttons[buttons.indexOf(event.target) + { ArrowLeft: -1, ArrowRight: 1 }[event.key]]?.focus()
  const row = make('div.sentence', { role: 'group', 'aria-label': label, onkeydown: step }, ...cells)
  row.buttons = buttons
  return row
}

// The same without buttons, each token tinted by its strength.
function strip(signs, label) {
  const cells = signs.map(sign => make('span.sign', {}, sign))
  const row = make('div.sentence', { role: 'img', 'aria-label': label }, ...cells)
  row.show = strengths => cells.forEach((cell, i) => {
    cell.classList.toggle('beyond', strengths[i] == null)
    tint(cell, strengths[i] ?? 0)
  })
  return row
}

function section(id, title, lead, ...children) {
  const part = make('section', { id, 'aria-labelledby': id + '-title' },
    make('h2', { id: id + '-title' }, title), make('p.lead', {}, lead), ...children)
  document.querySelector('main').append(part)
  document.querySelector('nav').append(make('a', { href: '#' + id }, title))
  return part
}
