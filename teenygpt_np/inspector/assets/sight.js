// Attention and prediction: the text, a chosen token, and what the model did there. The signs of what
// the model reads are those of one text, or of a source and a target.

const rowOf = (packed, t) => Array.from(unpack(packed).subarray(t * packed.shape[1], (t + 1) * packed.shape[1]))

// Divided by the largest, so that the strongest has full colour; null after position `last`.
function relative(row, last) {
  const most = Math.max(...row.map(Math.abs)) || 1
  return row.map((x, s) => (s > last ? null : x / most))
}

function chosen(row, t) {
  row.buttons.forEach((button, i) => {
    button.setAttribute('aria-pressed', String(i === t))
    button.tabIndex = i === t ? 0 : -1
  })
}

// 'character of the source'; where there is but one text, 'character'
const tokenOf = text => data.unit + (text === 'text' ? '' : ` of the ${text}`)

function showAttention(blocks, signs) {
  const now = { block: 0, head: 0, t: {} }
  const rows = {}
  for (const [text, all] of Object.entries(signs)) {
    now.t[text] = all.length - 1
    rows[text] = sentence(all, `The ${text}; choose a ${data.unit}`, t => { now.t[text] = t; showToken() })
  }
  const heading = make('h3')
  const who = make('p.label')
  const row = make('div')
  const weights = make('div')
  const grads = make('div')
  const large = make('div.pair')
  const numbers = make('div')

  const titles = blocks.map(({ name, part, weights }) =>
    weights.map((_, h) => `${name}, ${part}` + (weights.length > 1 ? ` ${h}` : '')))
  const heads = gallery(blocks.map((block, b) => ({ name: shortNameOf(block), pictures: block.weights, titles: titles[b] })), pick)

  function shortNameOf({ name, rows, columns }) {
    const what = rows === columns ? rows : `${rows} to ${columns}`
    return blockOf(name) + (rows === 'text' ? '' : `: ${what}`)
  }
  function pick(b, head) {
    Object.assign(now, { block: b, head })
    const block = blocks[b]
    heads.press(b, head)
    heading.textContent = titles[b][head]
    who.textContent = `The ${tokenOf(block.rows)} that attends`
    row.replaceChildren(rows[block.rows])
    weights.replaceChildren(strip(signs[block.columns], 'Attention weights'))
    grads.replaceChildren(strip(signs[block.columns], 'Gradient of the loss with respect to them'))
    const others = block.rows === block.columns ? 'each one' : `each ${tokenOf(block.columns)}`
    const attends = `how much ${data.unit} t${block.rows === 'text' ? '' : ` of the ${block.rows}`} attends to ${others}`
    large.replaceChildren(
      captioned(block.weights[head], `Weights: row t shows ${attends}${block.causal ? ' up to itself' : ''}`, true),
      captioned(block.grads[head], 'Gradient of the loss with respect to them', true))
    showToken()
  }
  function showToken() {
    const block = blocks[now.block]
    const t = now.t[block.rows]
    const last = block.causal ? t : Infinity
    chosen(rows[block.rows], t)
    const w = rowOf(block.weights[now.head], t)
    const g = rowOf(block.grads[now.head], t)
    weights.firstChild.show(relative(w, last))
    grads.firstChild.show(relative(g, last))
    const figures = signs[block.columns].map((sign, s) => [sign, String(s), digits(w[s]), digits(g[s])])
      .filter((_, s) => s <= last)
    renew(numbers, [data.unit, 'position', 'weight', 'gradient'], figures, `Attention from ${signs[block.rows][t]}, position ${t}`)
  }

  section('attention', 'Attention',
    `Choose a picture, and point at a ${data.unit}: how much does it attend to each one that it sees? ` +
    'Where the gradient is above zero (coral), the loss falls with a smaller weight; below zero (grey), with a larger one.',
    heads, heading, who, row,
    make('p.label', {}, 'Attention weights'), weights,
    make('p.label', {}, 'Gradient of the loss with respect to them'), grads, numbers, large)
  pick(0, 0)
}

function showPrediction({ lead, columns, positions, sensitivity, row }, signs) {
  const bars = make('div.bars')
  const heading = make('h3')
  const influences = sensitivity.map(({ of }) => strip(signs[of], `What the loss is sensitive to: each ${tokenOf(of)}`))
  const worst = Math.max(...positions.map(p => p.loss))
  const choices = row && sentence(row.signs, row.label, choose, row.places)
  choices?.buttons.forEach((button, i) => tint(button, positions[i].loss / worst))

  function choose(i) {
    if (choices) chosen(choices, i)
    const { sign, title, loss, top } = positions[i]
    heading.textContent = `${title}: ${digits(loss)} nats, probability ${percent(Math.exp(-loss))}`
    bars.replaceChildren(...top.map(([likely, p]) =>
      make(likely === sign ? 'div.bar.right' : 'div.bar', {},
        make('span.sign', {}, likely), make('span.track', {}, make('span', { style: `width:${100 * p}%` })), make('span.figure', {}, percent(p)))))
    influences.forEach((influence, k) =>
      influence.show(relative(rowOf(sensitivity[k].values, i), sensitivity[k].causal ? i : Infinity)))
  }
  const rows = positions.map(p => [...p.cells, digits(p.loss), p.top.map(([sign, q]) => `${sign} ${percent(q)}`).join(', ')])
  section('prediction', 'Prediction', lead,
    choices, heading, bars,
    ...influences.flatMap((influence, k) => [
      make('p.label', {}, `What this loss is sensitive to: the norm of its gradient with respect to the embedding of each ${tokenOf(sensitivity[k].of)}`),
      influence]),
    asTable([...columns, 'loss in nats', 'likeliest'], rows, 'Every prediction'))
  choose(Math.max(0, positions.findIndex(p => p.loss === worst)))
}
