// LoRA: for each adapted weight, what is added to it beside the weight itself.

function showAdded(pairs) {
  const rows = pairs.map(({ name, rank, weight, added }) => [
    breakable(name), String(rank), digits(weight), digits(added), weight ? percent(added / weight) : '–',
  ])
  section('lora', 'What LoRA adds',
    'Each of these weights W stays as it was. What is trained is B and A, whose product (α / r) B A is added to W: a matrix of ' +
    'rank r at most. How large is it, beside W? ‖ ‖ is the norm, the root of the sum of all squared entries.',
    table(['weight W', 'rank r', '‖W‖', '‖(α / r) B A‖', 'share'], rows, 'What LoRA adds to each weight'))
}
