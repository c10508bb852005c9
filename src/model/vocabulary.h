// The tokenizer that belongs to a model: GPT-2's, unless the model's folder has a vocabulary of its
// own. A model of GPT-2's shape in another language has other merges, or the same merges under
// other ids; read with GPT-2's it would compute nonsense in silence.
#pragma once

#include "model/gpt2.h"
#include "text/tokenizer.h"

namespace vimach {

/// Reads merges.txt and vocab.json, or tokenizer.json, of the model's folder where they are; its
/// byte-level BPE is used, with the ids that it has there. Rows of W_E beyond it become
/// `n_padding`, and `note` says what is unusual. Throws where the files are no byte-level BPE or
/// contradict each other, and where the model has fewer rows than the vocabulary ids.
Tokenizer tokenizer_of(Gpt2& model);

}  // namespace vimach
