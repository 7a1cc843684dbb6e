// The page: each part for which there is data.

document.getElementById('lead').textContent = data.text
  ? `“${data.text}”: a loss of ${digits(data.loss)} nats, the forward pass that led to it, and the backward pass from it.`
  : 'How the training went, epoch by epoch.'
if (data.graph) showMap(data.graph)
if (data.attention?.length) showAttention(data.attention, data.prediction.signs)
if (data.states?.length) showStates(data.states, data.prediction.signs)
if (data.prediction) showPrediction(data.prediction)
if (data.training) showTraining(data.training)
