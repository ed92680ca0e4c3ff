//! The layers of a network as a picture.

use models::{InputShape, Layer, Summary};
use plots::{Diagram, DiagramLayer, LayerFamily, thousands};

/// The diagram of a model, from the image to the logits.
pub(super) fn diagram(experiment: &str, model: &str, input: InputShape, summary: &Summary) -> Diagram {
    let image = DiagramLayer {
        name: "image".to_owned(),
        kind: "pixels".to_owned(),
        output: shape(&[input.channels, input.height, input.width]),
        parameters: String::new(),
        family: LayerFamily::Input,
    };
    let totals = summary.totals();
    let fixed = match totals.non_trainable {
        0 => String::new(),
        count => format!(", of which {} are not trained", thousands(count as u64)),
    };
    Diagram {
        title: format!("{experiment}: the layers of {model}"),
        subtitle: format!("{} parameters{fixed}", thousands(totals.parameters as u64)),
        layers: std::iter::once(image).chain(summary.layers.iter().map(layer)).collect(),
    }
}

fn layer(layer: &Layer) -> DiagramLayer {
    DiagramLayer {
        name: layer.name.clone(),
        kind: layer.kind.clone(),
        output: shape(&layer.output_shape),
        parameters: match layer.parameters {
            0 => String::new(),
            count => format!("{} parameters", thousands(count as u64)),
        },
        family: family(&layer.kind),
    }
}

fn family(kind: &str) -> LayerFamily {
    match kind.split([' ', ',']).next().unwrap_or_default() {
        "conv2d" => LayerFamily::Convolution,
        "linear" => LayerFamily::Dense,
        "batch_norm" => LayerFamily::Normalization,
        "dropout" => LayerFamily::Dropout,
        _ => LayerFamily::Shape,
    }
}

fn shape(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ")
}

#[cfg(test)]
mod tests {
    use LayerFamily::{Convolution, Normalization, Shape};
    use models::{Cnn4Config, ModelConfig};

    use super::*;

    #[test]
    fn every_layer_has_its_box() {
        let input = InputShape { channels: 1, height: 28, width: 28 };
        let summary = ModelConfig::Cnn4(Cnn4Config::default()).summary(input, 10).expect("fits");
        let diagram = diagram("cnn4", "cnn4", input, &summary);
        assert_eq!(diagram.layers.len(), summary.layers.len() + 1);
        assert_eq!(diagram.subtitle, "1,221,546 parameters, of which 1,792 are not trained");
        let families: Vec<LayerFamily> = diagram.layers[1..6].iter().map(|layer| layer.family).collect();
        assert_eq!(families, [Convolution, Normalization, Convolution, Normalization, Shape]);
        assert_eq!(diagram.layers[1].output, "32 × 26 × 26");
    }
}
