// The page: the parts that there is data for.

document.getElementById('lead').textContent = data.text
  ? `“${data.text}”: a loss of ${digits(data.loss)} nats, its way forward through the model and its gradient’s way back.`
  : 'What a training left behind, epoch by epoch.'
if (data.graph) showMap(data.graph)
if (data.attention?.length) showAttention(data.attention, data.prediction.signs)
if (data.prediction) showPrediction(data.prediction)
if (data.training) showTraining(data.training)
