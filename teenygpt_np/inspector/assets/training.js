// How the training went, epoch by epoch; of two runs, the second has dashed lines.

const CHARTS = [
  { title: 'Nats per {line}, padding not counted', key: 'val_nll_no_pad', guess: 'nll_no_pad', text: 'lines' },
  { title: 'Nats per {line}, padding counted', key: 'val_nll', guess: 'nll', text: 'lines' },
  { title: 'Next tokens predicted right, padding not counted', key: 'val_top1_no_pad', guess: 'top1_no_pad', format: percent, text: 'lines' },
  { title: 'Next tokens predicted right, padding counted', key: 'val_top1', guess: 'top1', format: percent, text: 'lines' },
  { title: 'Nats per character', key: 'val_nats_per_character', guess: 'nats_per_character', text: 'running' },
  { title: 'Bits per byte', key: 'val_bits_per_byte', guess: 'bits_per_byte', text: 'running' },
  { title: 'Next tokens predicted right', key: 'val_top1_no_pad', guess: 'top1_no_pad', format: percent, text: 'running' },
  { title: 'Nats per masked token', key: 'val_masked_nats', guess: 'masked_nats' },
  { title: 'Masked tokens filled in right', key: 'val_masked_top1', guess: 'masked_top1', format: percent },
  { title: 'Nats of both losses', key: 'val_joint', guess: 'joint' },
  { title: 'Nats per target', key: 'val_target_nats', guess: 'target_nats' },
  { title: 'Nats per character of the target', key: 'val_nats_per_character', guess: 'nats_per_character', text: 'pairs' },
  { title: 'Targets written exactly', key: 'val_exact_match', guess: 'exact_match', format: percent },
  { title: 'Edits per character of the target', key: 'val_edits', guess: 'edits' },
  { title: 'Nats per label', key: 'val_label_nats', guess: 'label_nats' },
  { title: 'Labels told right', key: 'val_accuracy', guess: 'accuracy', format: percent },
  { title: 'Nats per preference', key: 'val_dpo_loss', guess: 'dpo_loss' },
  { title: 'Preferences in which the chosen answer gains on the rejected', key: 'val_preferred', guess: 'preferred', format: percent },
  { title: 'Margin: beta times what it gains', key: 'val_margin', guess: 'margin' },
  { title: 'Nats per chosen answer', key: 'val_chosen_nats', guess: 'chosen_nats' },
  { title: 'Nats per rejected answer', key: 'val_rejected_nats', guess: 'rejected_nats' },
  { title: 'Tokens per second', key: 'tokens_per_s', format: x => Math.round(x).toLocaleString('en') },
  { title: 'Norm of the gradient, before clipping', key: 'grad_norm', layers: 'grad_norms' },
  { title: 'Update at the last step, as a share of the weights', layers: 'update_ratios' },
  { title: 'Share of the tokens that go to the fullest expert, last step', layers: 'fullest_experts', equal: config => config.active_experts / config.experts, format: percent },
]

function showTraining(runs) {
  const first = runs[0]
  const told = runs.filter(run => run.epochs.length)
  const kinds = CHARTS.filter(kind => [undefined, first.config.text].includes(kind.text))
    .map(kind => ({ ...kind, title: kind.title.replace('{line}', first.line) }))
  const charts = told.length ? kinds.map(kind => chart(kind, told)).filter(Boolean) : []
  section('training', 'Training', runs.map(ended).join(' '),
    runs.length > 1 ? differences(runs) : null,
    make('div.charts', {}, ...charts),
    ...runs.filter(run => run.samples.length).map(samples))
  if (!Object.keys(first.baselines).length)
    document.getElementById('training').append(make('p.note', {}, 'The text it was trained on is missing or has changed, so there are no baselines.'))
}

function ended(run) {
  const best = Math.min(...run.epochs.map(row => row[`val_${run.score}`]))
  const scores = run.epochs.length ? `, best validation ${digits(best)} nats per ${run.unit}` : ''
  const test = run.test ? `, test ${digits(run.test[`test_${run.score}`])}` : ''
  return `${run.name}: preset ${run.config.preset} on ${run.config.data}, ` +
    `${count(run.parameters, 'parameter')}, ${count(run.epochs.length, 'epoch')}${scores}${test}.`
}

function differences(runs) {
  const [a, b] = runs.map(run => run.config)
  const rows = Object.keys(a).filter(name => JSON.stringify(a[name]) !== JSON.stringify(b[name]))
    .map(name => [name, String(a[name]), String(b[name])])
  return table(['setting', ...runs.map(run => run.name)], rows, 'Settings that differ')
}

// -- one chart -------------------------------------------------------------------------------------

function seriesOf(kind, runs) {
  const found = []
  runs.forEach((run, i) => {
    const add = (name, className, values) => {
      const known = values.filter(v => v.y != null)
      if (known.length) found.push({ name: runs.length > 1 ? `${name}, ${run.name}` : name, className: i ? className + '.second' : className, values: known })
    }
    const read = key => run.epochs.map(row => ({ x: row.epoch, y: row[key] }))
    if (kind.key) add(kind.guess ? 'validation' : kind.layers ? 'all, mean of the epoch' : 'all', 'val', read(kind.key))
    if (kind.guess === run.score) add('training', 'train', read('train_nll'))
    if (kind.layers)
      for (const layer of Object.keys(run.epochs.at(-1)[kind.layers] ?? {}))
        add(`${layer}, last step`, 'layer', run.epochs.map(row => ({ x: row.epoch, y: row[kind.layers]?.[layer] })))
  })
  return found
}

function chart(kind, runs) {
  const format = kind.format ?? digits
  const series = seriesOf(kind, runs)
  if (!series.length) return null
  const guesses = kind.equal
    ? [{ name: 'equal shares', y: kind.equal(runs[0].config) }]
    : Object.entries(runs[0].baselines).filter(([, scores]) => scores[kind.guess] != null)
      .map(([name, scores]) => ({ name, y: scores[kind.guess] }))
  const all = series.flatMap(s => s.values)
  const top = 1.05 * Math.max(...all.map(v => v.y), ...guesses.map(g => g.y)) || 1
  const last = Math.max(...all.map(v => v.x), 1)
  const ends = [...guesses, ...(kind.layers ? layersAt(series) : [])]
  const size = { width: 360, height: 220, left: 44, right: ends.length ? 74 : 12, top: 10, low: 26 }
  const x = v => size.left + (v / last) * (size.width - size.left - size.right)
  const y = v => size.height - size.low - (v / top) * (size.height - size.low - size.top)
  const image = make('svg', { viewBox: `0 0 ${size.width} ${size.height}`, role: 'img', 'aria-label': `${kind.title}; the numbers are in the table below` },
    ...scale(top, y, size, format), ...epochs(last, x, size),
    ...guesses.map(g => make('line.guess', { x1: size.left, x2: size.width - size.right, y1: y(g.y), y2: y(g.y) })),
    ...named(ends, y, size))
  for (const { className, values, name } of series) {
    const points = values.map(v => `${x(v.x)},${y(v.y)}`).join(' ')
    image.append(make(`g.${className}`, {}, make('title', {}, name), make('polyline', { points }),
      ...values.map(v => make('circle', { cx: x(v.x), cy: y(v.y), r: 2.5 }, make('title', {}, `epoch ${v.x}: ${format(v.y)}`)))))
  }
  const keys = kind.layers ? [] : series.map(s => make(`span.key.${s.className}`, {}, s.name))
  return make('figure.chart', {}, make('figcaption', {}, kind.title),
    make('p.keys', {}, ...keys), image, numbers(kind, series, guesses, format))
}

function scale(top, y, size, format) {
  const rough = 10 ** Math.floor(Math.log10(top / 3))
  const step = [1, 2, 5, 10].map(k => k * rough).find(s => top / s <= 5)
  const ticks = Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => i * step)
  return ticks.flatMap(v => [
    make('line.grid', { x1: size.left, x2: size.width - size.right, y1: y(v), y2: y(v) }),
    make('text.tick', { x: size.left - 6, y: y(v) + 3.5, 'text-anchor': 'end' }, format === percent ? `${Math.round(100 * v)}%` : format(v)),
  ])
}

function epochs(last, x, size) {
  const step = Math.ceil(last / 8)
  const ticks = Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => i * step)
  return ticks.map(v => make('text.tick', { x: x(v), y: size.height - 10, 'text-anchor': 'middle' }, v === 0 ? 'epoch 0' : String(v)))
}

// Where the first run's lines of layers end, for their labels; none if there are too many.
function layersAt(series) {
  const ends = series.filter(s => !s.className.includes('second'))
    .map(s => ({ name: SHORT.reduce((name, pair) => name.replace(...pair), s.name.split(',')[0]), y: s.values.at(-1).y }))
  return ends.length <= 14 ? ends : []
}

const SHORT = [[/^body\./, ''], [/^transformer_blocks\./, 'block '], [/^encoder_blocks\./, 'encoder '], [/^decoder_blocks\./, 'decoder '], [/\.mlp$/, ''], [/^positional_embedding$/, 'positions']]

// Names at the right of their lines, moved apart where they would overlap.
function named(ends, y, size) {
  const places = ends.sort((a, b) => b.y - a.y).map(end => y(end.y) + 3.5)
  for (let i = 1; i < places.length; i++) places[i] = Math.max(places[i], places[i - 1] + 12)
  let lowest = size.height - size.low + 3.5
  for (let i = places.length - 1; i >= 0; i--, lowest -= 12) places[i] = lowest = Math.min(places[i], lowest)
  return ends.map(({ name }, i) => make('text.tick', { x: size.width - size.right + 6, y: places[i] }, name))
}

function numbers(kind, series, guesses, format) {
  const xs = [...new Set(series.flatMap(s => s.values.map(v => v.x)))].sort((a, b) => a - b)
  const rows = xs.map(x => [String(x), ...series.map(s => {
    const found = s.values.find(v => v.x === x)
    return found ? format(found.y) : '–'
  })])
  const others = guesses.map(g => [g.name, format(g.y), ...series.slice(1).map(() => '')])
  return asTable(['epoch', ...series.map(s => s.name)], [...rows, ...others], kind.title)
}

// -- what it wrote ---------------------------------------------------------------------------------

function samples(run) {
  return make('div', {}, make('h3', {}, `What ${run.name} wrote`),
    make('div.samples', { tabindex: 0, role: 'region', 'aria-label': `Samples of ${run.name}` },
      ...run.samples.map(([epoch, lines]) =>
        make('article', {}, make('h4', {}, `after epoch ${epoch}`), make('ul', {}, ...lines.map(line => make('li', {}, line)))))))
}
