// Attention and prediction: the text, a chosen character, and what the model did there.

const rowOf = (packed, t) => Array.from(unpack(packed).subarray(t * packed.shape[1], (t + 1) * packed.shape[1]))

// Divided by the largest, so that the strongest has full colour; null after position t.
function relative(row, t) {
  const most = Math.max(...row.map(Math.abs)) || 1
  return row.map((x, s) => (s > t ? null : x / most))
}

function chosen(row, t) {
  row.buttons.forEach((button, i) => {
    button.setAttribute('aria-pressed', String(i === t))
    button.tabIndex = i === t ? 0 : -1
  })
}

function showAttention(blocks, allSigns) {
  const signs = allSigns.slice(0, -1)
  const now = { block: 0, head: 0, t: signs.length - 1 }
  const heading = make('h3')
  const weights = strip(signs, 'Attention weights')
  const grads = strip(signs, 'Gradient of the loss with respect to them')
  const large = make('div.pair')
  const numbers = make('div')
  const row = sentence(signs, 'The text; choose a character', t => { now.t = t; showCharacter() })

  const titles = blocks.map(({ name, part, weights }) =>
    weights.map((_, h) => `${name}, ${part}` + (weights.length > 1 ? ` ${h}` : '')))
  const heads = gallery(blocks.map(({ name, weights }, b) => ({ name, pictures: weights, titles: titles[b] })), pick)

  function pick(block, head) {
    Object.assign(now, { block, head })
    heads.press(block, head)
    heading.textContent = titles[block][head]
    large.replaceChildren(
      captioned(blocks[block].weights[head], 'Weights: row t shows how much character t attends to each one up to itself'),
      captioned(blocks[block].grads[head], 'Gradient of the loss with respect to them'))
    showCharacter()
  }
  function showCharacter() {
    const { block, head, t } = now
    chosen(row, t)
    const w = rowOf(blocks[block].weights[head], t)
    const g = rowOf(blocks[block].grads[head], t)
    weights.show(relative(w, t))
    grads.show(relative(g, t))
    const rows = signs.slice(0, t + 1).map((sign, s) => [sign, String(s), digits(w[s]), digits(g[s])])
    renew(numbers, ['character', 'position', 'weight', 'gradient'], rows, `Attention from ${signs[t]}, position ${t}`)
  }

  section('attention', 'Attention',
    'Choose a picture, and point at a character: how much does it attend to itself and to those before it? ' +
    'Where the gradient is above zero (coral), the loss falls with a smaller weight; below zero (grey), with a larger one.',
    heads, heading, make('p.label', {}, 'The character that attends'), row,
    make('p.label', {}, 'Attention weights'), weights,
    make('p.label', {}, 'Gradient of the loss with respect to them'), grads, numbers, large)
  pick(0, 0)
}

function showPrediction({ signs, positions, sensitivity }) {
  const inputs = signs.slice(0, -1)
  const targets = signs.slice(1)
  const bars = make('div.bars')
  const heading = make('h3')
  const influence = strip(inputs, 'What the loss here is sensitive to')
  const worst = Math.max(...positions.map(p => p.loss))
  const row = sentence(targets, 'The characters to be predicted', choose)
  row.buttons.forEach((button, t) => tint(button, positions[t].loss / worst))

  function choose(t) {
    chosen(row, t)
    const { loss, top } = positions[t]
    heading.textContent = `${targets[t]} after “${inputs.slice(Math.max(0, t - 11), t + 1).join('')}”: ${digits(loss)} nats, probability ${percent(Math.exp(-loss))}`
    bars.replaceChildren(...top.map(([sign, p]) =>
      make(sign === targets[t] ? 'div.bar.right' : 'div.bar', {},
        make('span.sign', {}, sign), make('span.track', {}, make('span', { style: `width:${100 * p}%` })), make('span.figure', {}, percent(p)))))
    influence.show(relative(rowOf(sensitivity, t), t))
  }
  const rows = positions.map((p, t) => [
    inputs[t], targets[t], digits(p.loss), p.top.map(([sign, q]) => `${sign} ${percent(q)}`).join(', '),
  ])
  section('prediction', 'Prediction',
    `The characters to be predicted. The stronger the colour, the larger the loss; the sum is ${digits(data.loss)} nats. ` +
    '▷ is the beginning of the text, ⏎ its end, ␣ a space.',
    row, heading, bars, make('p.label', {}, 'What this loss is sensitive to: the norm of its gradient with respect to each character’s embedding'),
    influence, asTable(['after', 'next', 'loss in nats', 'likeliest'], rows, 'Every prediction'))
  choose(positions.findIndex(p => p.loss === worst))
}
