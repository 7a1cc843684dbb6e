// The tape as a map: the operations, in a box for each module, which opens and closes. Each box draws
// the edges between its items, and between these and its upper and lower rim.

const map = { groups: new Map(), cards: new Map(), way: 'backward' }

function showMap(graph) {
  const root = tree(graph)
  const canvas = make('div.map', { 'data-way': 'backward' })
  map.root = canvas
  canvas.append(body(root))
  const kept = bytes(graph.kept)
  const operations = graph.nodes.filter(node => node.operation).length
  section('tape', 'The tape',
    `${count(operations, 'operation')}, from the embedding down to the loss; ${kept} kept for backward. ` +
    'Each box shows the value of the operation on the left, and the gradient of the loss with respect to it ' +
    'on the right; coral is above zero, grey below. Open a module to see what is in it, an operation for its ' +
    'own page. The larger the norm of what passes along a line, the thicker the line.',
    player(graph), canvas)
  new ResizeObserver(drawEdges).observe(canvas)
}

// -- the boxes -------------------------------------------------------------------------------------

function tree(graph) {
  const root = { path: '', items: [], nodes: graph.nodes, open: true }
  const groups = new Map()
  for (const node of graph.nodes) {
    let inside = root
    for (const path of node.path) {
      if (!groups.has(path)) {
        const group = { path, items: [], nodes: [], parent: inside, ...graph.modules[path] }
        groups.set(path, group)
        inside.items.push(group)
      }
      inside = groups.get(path)
      inside.nodes.push(node)
    }
    inside.items.push({ node })
  }
  for (const group of [root, ...groups.values()]) layOut(group, graph)
  return root
}

// Finds which item of a group holds each node, the edges between items and to the rims, and the rows.
function layOut(group, graph) {
  const holder = new Map()
  for (const item of group.items)
    for (const node of item.node ? [item.node] : item.nodes) holder.set(node.id, item)
  const edges = new Map()
  for (const edge of graph.edges) {
    const [from, to] = [holder.get(edge.source) ?? 'in', holder.get(edge.target) ?? 'out']
    if (from === to || (from === 'in' && to === 'out')) continue
    if (!edges.has(from)) edges.set(from, new Map())
    const known = edges.get(from)
    if (!known.has(to)) known.set(to, [])
    known.get(to).push(edge)
  }
  group.edges = [...edges].flatMap(([from, known]) => [...known].map(([to, carried]) => ({ from, to, carried })))
  const rank = new Map(group.items.map(item => [item, 0]))
  const inner = group.edges.filter(e => e.from !== 'in' && e.to !== 'out')
  for (let moved = true, turns = 0; moved && turns <= rank.size; turns++) {
    moved = false
    for (const { from, to } of inner)
      if (rank.get(to) <= rank.get(from)) [moved] = [rank.set(to, rank.get(from) + 1)]
  }
  for (const item of group.items) // a parameter right above what uses it
    if (item.node && !item.node.operation)
      rank.set(item, Math.min(...inner.filter(e => e.from === item).map(e => rank.get(e.to))) - 1)
  group.rows = []
  for (const [item, row] of rank) (group.rows[row] ??= []).push(item)
  group.rank = item => (item === 'in' ? -1 : item === 'out' ? group.rows.length : rank.get(item))
}

function body(group) {
  const rows = group.rows.map(items => make('div.row', {}, ...items.map(item => (item.node ? card(item.node, item) : box(item)))))
  group.svg = make('svg.edges', { 'aria-hidden': 'true' })
  group.body = make('div.body', {}, group.svg, ...rows)
  map.groups.set(group.path, group)
  return make('div.scroll', {}, group.body)
}

function pictures(node) {
  if (node.value.picture.shape.join() === '1,1') return make('span.figure', {}, digits(node.value.mean))
  return make('span.pictures', {},
    picture(node.value.picture, 'values', 'canvas.picture.value'),
    node.grad && picture(node.grad.picture, 'gradient', 'canvas.picture.grad'))
}

function card(node, item) {
  const kind = node.operation ? 'button.card' : 'button.card.leaf'
  item.element = make(kind, { type: 'button', 'data-node': node.id, onclick: () => openNode(node.id) },
    make('strong', {}, ...breakable(node.title)),
    node.equation && make('span.equation', {}, node.equation.split('\n')[0]),
    make('span.shape', {}, shapeOf(node.shape)),
    pictures(node))
  map.cards.set(node.id, item.element)
  return item.element
}

function box(group) {
  const last = group.nodes.filter(node => node.operation).at(-1)
  const operations = group.nodes.filter(node => node.operation).length
  const facts = [count(operations, 'operation')]
  if (group.parameters) facts.push(count(group.parameters, 'parameter'))
  const toggle = make('button.toggle', { type: 'button', 'aria-expanded': 'false', onclick: () => open(group, !group.open) },
    make('span.names', {}, make('strong', {}, ...breakable(shortName(group))), make('span.kind', {}, group.kind)),
    make('span.shape', {}, shapeOf(last.shape)),
    make('span.facts', {}, facts.join(', ')),
    pictures(last))
  group.element = make('div.box', { 'data-path': group.path }, toggle)
  group.toggle = toggle
  map.groups.set(group.path, group)
  return group.element
}

function shortName(group) {
  const outer = group.parent.path
  return outer ? group.path.slice(outer.length + 1) : group.path
}

function open(group, wanted) {
  group.open = wanted
  group.toggle.setAttribute('aria-expanded', String(wanted))
  group.element.classList.toggle('open', wanted)
  if (wanted && !group.body) group.element.append(body(group))
  if (group.body) group.body.parentElement.hidden = !wanted
  drawEdges()
  mark()
}

// -- the edges -------------------------------------------------------------------------------------

function drawEdges() {
  for (const group of map.groups.values()) {
    if (!group.body || group.body.parentElement.hidden) continue
    const size = group.body.getBoundingClientRect()
    if (!size.width) continue
    group.svg.setAttribute('viewBox', `0 0 ${size.width} ${size.height}`)
    group.svg.replaceChildren(...group.edges.map(edge => drawn(edge, group, size)))
  }
  light()
}

// Highlights the edges that the current step uses, with the norm of what they carry.
function light() {
  for (const label of map.root?.querySelectorAll('.edges text') ?? []) label.remove()
  const now = map.step ? map.steps[map.step - 1] : null
  for (const group of map.groups.values())
    for (const edge of group.edges) {
      const lit = edge.carried.some(carried => carried.target === now)
      edge.path?.classList.toggle('current', lit)
      if (lit && edge.path?.isConnected) group.svg.append(edge.path, make('text', edge.label, said(edge)))
    }
}

function drawn(edge, group, size) {
  const place = (item, low) => {
    if (item === 'in') return { x: size.width / 2, y: 0 }
    if (item === 'out') return { x: size.width / 2, y: size.height }
    const r = item.element.getBoundingClientRect()
    return { x: r.left + r.width / 2 - size.left, y: (low ? r.bottom : r.top) - size.top }
  }
  const [a, b] = [place(edge.from, true), place(edge.to, false)]
  const half = (b.y - a.y) / 2
  let line = `M${a.x} ${a.y}C${a.x} ${a.y + half} ${b.x} ${b.y - half} ${b.x} ${b.y}`
  edge.label = { x: a.x + 7, y: a.y + 14 }
  const blocked = group.items.some(item => {
    const r = item.element.getBoundingClientRect()
    const [left, right, top, low] = [r.left - size.left, r.right - size.left, r.top - size.top, r.bottom - size.top]
    return top > a.y && low < b.y && left < Math.max(a.x, b.x) && right > Math.min(a.x, b.x)
  })
  if (blocked) { // around the items between, along the left margin
    const r = 8
    const turn = `V${a.y + 5}Q${a.x} ${a.y + 13} ${a.x - r} ${a.y + 13}H20Q12 ${a.y + 13} 12 ${a.y + 21}`
    line = `M${a.x} ${a.y}${turn}V${b.y - 24}Q12 ${b.y - 16} 20 ${b.y - 16}H${b.x - r}Q${b.x} ${b.y - 16} ${b.x} ${b.y - 8}V${b.y}`
  }
  edge.path = make('path', { d: line, 'stroke-width': thickness(edge) }, make('title', {}, said(edge)))
  return edge.path
}

// A line may stand for several edges: the one that the current step uses, otherwise the first.
function carriedNow(edge) {
  const now = map.step ? map.steps[map.step - 1] : null
  return edge.carried.find(carried => carried.target === now) ?? edge.carried[0]
}

function length(edge) {
  const carried = carriedNow(edge)
  return map.way === 'backward' ? carried.norm : data.graph.nodes[carried.source].value.norm
}

const thickness = edge => Math.min(4, Math.max(1, 2 + Math.log10(length(edge) || 1e-9) / 1.5))

const said = edge => `${map.way === 'backward' ? 'd' : ''}${carriedNow(edge).name} ${digits(length(edge))}`

// -- playing ---------------------------------------------------------------------------------------

function player(graph) {
  const ways = {
    forward: graph.nodes.filter(node => node.operation).map(node => node.id),
    backward: graph.order,
  }
  const slider = make('input', { type: 'range', min: 0, value: 0, 'aria-label': 'Step', oninput: () => go(Number(slider.value)) })
  const status = make('output', { 'aria-live': 'polite' })
  const play = make('button.play', { type: 'button', onclick: () => (timer ? stop() : start()) }, 'Play')
  let timer = 0

  function go(step) {
    map.step = Math.max(0, Math.min(step, map.steps.length))
    slider.value = map.step
    mark()
    status.textContent = map.step ? told(graph, map.steps[map.step - 1]) : `${map.steps.length} steps ${map.way}`
  }
  function start() {
    if (map.step >= map.steps.length) go(0)
    play.textContent = 'Pause'
    status.setAttribute('aria-live', 'off')
    timer = setInterval(() => (map.step < map.steps.length ? follow(map.step + 1) : stop()), 350)
    follow(map.step + 1)
  }
  function follow(step) {
    go(step)
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
    document.querySelector('.map .current')?.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: calm ? 'auto' : 'smooth' })
  }
  function stop() {
    clearInterval(timer)
    timer = 0
    play.textContent = 'Play'
    status.setAttribute('aria-live', 'polite')
  }
  function turn(way) {
    stop()
    map.way = way
    map.steps = ways[way]
    slider.max = map.steps.length
    if (map.root) map.root.dataset.way = way
    drawEdges()
    go(0)
  }
  const names = ['forward', 'backward']
  const step = (by, name, sign) => make('button', { type: 'button', 'aria-label': name, onclick: () => { stop(); follow(map.step + by) } }, sign)
  return make('div.player', {},
    choice('Direction', names, i => turn(names[i]), 1),
    make('div.choice', {}, step(-1, 'One step back', '‹'), play, step(1, 'One step on', '›')),
    slider, status)
}

function told(graph, id) {
  const node = graph.nodes[id]
  const where = node.path.length ? ` in ${node.path.at(-1)}` : ''
  const edges = graph.edges.filter(edge => edge.target === id)
  const figures = map.way === 'forward'
    ? `gives ${shapeOf(node.shape)}, norm ${digits(node.value.norm)}`
    : `gets a gradient of norm ${digits(node.grad.norm)}, passes on ` +
      edges.map(edge => `d${edge.name} ${digits(edge.norm)}`).join(', ')
  return `${map.step} of ${map.steps.length}: ${node.operation}${where} ${figures}`
}

// Marks what is done, what runs now, and, while it plays, what is still to come.
function mark() {
  if (!map.root) return
  const shown = id => {
    const closed = data.graph.nodes[id].path.find(path => !map.groups.get(path)?.open)
    return closed === undefined ? map.cards.get(id) : map.groups.get(closed).element
  }
  for (const old of map.root.querySelectorAll('.done, .current')) old.classList.remove('done', 'current')
  map.root.classList.toggle('playing', map.step > 0)
  for (const id of map.steps.slice(0, map.step)) shown(id).classList.add('done')
  const now = map.step ? map.steps[map.step - 1] : null
  if (now !== null) shown(now).classList.add('current')
  light()
}
