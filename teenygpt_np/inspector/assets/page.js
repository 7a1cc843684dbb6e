// The page: each part for which there is data.

document.getElementById('lead').textContent = data.text
  ? `“${data.text}”: a loss of ${digits(data.loss)} nats, the forward pass that led to it, and the backward pass from it.`
  : 'How the training went, epoch by epoch.'
if (data.graph) showMap(data.graph)
if (data.lora?.length) showAdded(data.lora)
if (data.attention?.length) showAttention(data.attention, data.signs)
if (data.states?.length) showStates(data.states, data.signs.text)
if (data.prediction) showPrediction(data.prediction, data.signs)
if (data.training) showTraining(data.training)
