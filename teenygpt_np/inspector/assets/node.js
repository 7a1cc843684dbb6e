// One node's page: formulas, values and gradient, what was kept, differences, lines of source.

const dialog = document.querySelector('dialog')
dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close() })

const nameOf = node => (node.operation ? `${node.title}, node ${node.id}` : node.title)

function openNode(id) {
  const { nodes, edges, sources } = data.graph
  const node = nodes[id]
  const ins = edges.filter(edge => edge.target === id)
  const outs = edges.filter(edge => edge.source === id)
  dialog.replaceChildren(
    make('button.close', { type: 'button', 'aria-label': 'Close', onclick: () => dialog.close() }, '✕'),
    make('p.path', {}, node.path.at(-1) ?? 'the model itself'),
    make('h2', { id: 'node-title', tabindex: -1 }, node.title),
    make('p.shape', {}, `${node.operation ? 'operation' : 'parameter'} ${node.id}, ${shapeOf(node.shape)}, ${node.dtype}`),
    node.operation ? formulas(node) : null,
    make('div.pair', {}, side('Value', node.value), node.grad ? side('Gradient', node.grad) : null),
    checks(node),
    ins.length ? neighbours('Computed from', ins, 'source') : null,
    outs.length ? neighbours('Goes into', outs, 'target') : null,
    node.operation ? kept(node) : null,
    node.operation ? source(node, sources[node.operation]) : null
  )
  if (!dialog.open) dialog.showModal()
  dialog.scrollTop = 0
  dialog.querySelector('h2').focus()
}

function formulas(node) {
  const line = text => make('code.formula', {}, text)
  return make('div.pair', {},
    make('section', {}, make('h3', {}, 'Forward'), ...node.equation.split('\n').map(line)),
    make('section', {}, make('h3', {}, 'Backward'), ...node.gradients.split(/; |, (?=d\w+ =)/).map(line)))
}

function side(title, of) {
  const names = { norm: 'norm', mean: 'mean', std: 'standard deviation', min: 'smallest', max: 'largest' }
  const label = `${title}: ${Object.keys(names).map(name => `${names[name]} ${digits(of[name])}`).join(', ')}`
  const facts = Object.entries(names).flatMap(([name, text]) => [
    make('dt', {}, text), make('dd', { 'data-figure': `${title}-${name}` }, digits(of[name])),
  ])
  const { from, to, counts } = of.histogram
  const rows = counts.map((n, i) => [digits(from + (i * (to - from)) / counts.length), String(n)])
  return make('section', {}, make('h3', {}, title),
    make('div.look', {}, picture(of.picture, `${title} as a picture`), make('dl', {}, ...facts)),
    histogram(of, `Histogram of the ${title.toLowerCase()}`),
    make('p.note', {}, `${percent(of.zeros)} are 0`),
    asTable(['from', 'entries'], rows, `Histogram of the ${title.toLowerCase()}`))
}

function checks(node) {
  if (!node.checks.length) return null
  const rows = node.checks.map(c => [`[${c.index.join(', ')}]`, digits(c.analytic, 6), digits(c.numeric, 6), digits(c.difference, 2)])
  return make('section.checks', {}, make('h3', {}, 'Is the gradient right?'),
    make('p.note', {}, 'The loss was computed again, in float64, with one entry a little larger and a little smaller: ' +
      'first the entry with the largest gradient, then the one with the median of all gradients that are not 0. ' +
      'The difference that remains is the rounding of float32.'),
    table(['entry', 'by backward', 'by differences', 'difference'], rows, 'Gradient by backward and by differences'))
}

function neighbours(title, edges, end) {
  const { nodes } = data.graph
  const rows = edges.map(edge => [
    make('button.link', { type: 'button', onclick: () => openNode(edge[end]) }, nameOf(nodes[edge[end]])),
    edge.name, digits(nodes[edge.source].value.norm), digits(edge.norm),
  ])
  return make('section', { 'data-part': end }, make('h3', {}, title),
    table([end === 'source' ? 'what' : 'where', 'as', 'norm of the value', 'norm of the gradient'], rows, title))
}

function kept(node) {
  const rows = node.kept.map(k => [make('code', {}, k.name), shapeOf(k.shape), k.dtype, bytes(k.bytes), k.same ?? '–'])
  const constants = Object.entries(node.constants).map(([name, shape]) => `${name} ${shapeOf(shape)}`)
  return make('section', {}, make('h3', {}, 'Kept for backward'),
    make('p.note', {}, `${node.keeps || 'It does not say what it keeps'}: ${bytes(node.keptBytes)}.` +
      (constants.length ? ` No gradient flows to ${constants.join(', ')}.` : '')),
    rows.length ? table(['name', 'shape', 'dtype', 'memory', 'shared with'], rows, 'Arrays kept') : null)
}

function source(node, of) {
  const lines = of.text.trimEnd().split('\n').map((text, i) => {
    const number = of.line + i
    return make(number >= of.vjp ? 'span.back' : 'span', { 'data-line': number }, text + '\n')
  })
  const { caller } = node
  return make('section', {}, make('h3', {}, 'Source'),
    caller && make('p.note', {}, `called at ${caller.file}:${caller.line}`),
    caller && make('pre', { tabindex: 0 }, make('span', { 'data-line': caller.line }, caller.text)),
    make('p.note', {}, `defined at ${of.file}:${of.line}, its vjp at line ${of.vjp}`),
    make('pre', { tabindex: 0 }, ...lines))
}
