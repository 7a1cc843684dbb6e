// State: the text, a chosen unit of a recurrent layer, and its value after each token.

function showStates(blocks, signs) {
  let block
  const heading = make('h3')
  const values = strip(signs, 'Values of the unit')
  const grads = strip(signs, 'Gradient of the loss with respect to them')
  const large = make('div.pair')
  const numbers = make('div')
  const slider = make('input.unit', { type: 'range', min: 0, 'aria-label': 'Unit', oninput: () => showUnit(Number(slider.value)) })
  const layers = gallery(blocks.map(({ name, values }) => ({ name: blockOf(name), pictures: [values], titles: [name] })), pick)

  function pick(b) {
    block = blocks[b]
    layers.press(b, 0)
    slider.max = block.values.shape[0] - 1
    large.replaceChildren(
      captioned(block.values, `Values: a row for each unit, a column for each ${data.unit}`),
      captioned(block.grads, 'Gradient of the loss with respect to them'))
    large.querySelectorAll('canvas').forEach(canvas => canvas.addEventListener('click', event =>
      showUnit(Math.floor((event.offsetY / canvas.clientHeight) * block.values.shape[0]))))
    showUnit(liveliest(block.values))
  }

  function showUnit(unit) {
    slider.value = unit
    heading.textContent = `${block.name}, unit ${unit}`
    const h = rowOf(block.values, unit)
    const g = rowOf(block.grads, unit)
    values.show(relative(h, signs.length))
    grads.show(relative(g, signs.length))
    const rows = signs.map((sign, t) => [sign, String(t), digits(h[t]), digits(g[t])])
    renew(numbers, [data.unit, 'position', 'value', 'gradient'], rows, `Unit ${unit} after each ${data.unit}`)
  }

  section('state', 'State',
    `All that a recurrent layer knows of earlier ${data.unit}s is a vector of units, its state. Choose a unit: what is its value ` +
    `after each ${data.unit}, above zero (coral) or below (grey)? The gradient is the one that comes from the layers above; what comes ` +
    'back from later states is not in it. Where it is above zero, the loss falls with a smaller value; below zero, with a larger one.',
    layers, heading, make('p.label', {}, 'The unit: move here, or choose a row of a picture below'), slider,
    make('p.label', {}, `Its value after each ${data.unit}`), values,
    make('p.label', {}, 'Gradient of the loss with respect to it'), grads, numbers, large)
  pick(0)
}

// The unit whose values are farthest apart.
function liveliest(packed) {
  const ranges = Array.from({ length: packed.shape[0] }, (_, unit) => {
    const row = rowOf(packed, unit)
    return Math.max(...row) - Math.min(...row)
  })
  return ranges.indexOf(Math.max(...ranges))
}
