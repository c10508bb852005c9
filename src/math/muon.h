// Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): a step whose singular values are
// all about 1, so that no direction of a matrix waits for the larger ones.
//   m = beta m + (1 - beta) g           u = beta m + (1 - beta) g
//   X = u / |u|, then five times        X = (a I + b A + c A A) X  with  A = X X^T
//   w = (1 - learning_rate * decay) w - learning_rate * 0.2 sqrt(longer extent) X
// 0.2 sqrt(longer extent) makes the numbers of X as large as those of a usual step of Adam, so that
// one learning rate serves both (Liu et al. 2025, eq. 4).
#pragma once

#include "core/tensor.h"

namespace vimach {

struct MuonSettings {
    double learning_rate = 1e-3, momentum = 0.95;
    double weight_decay = 0;
};

/// One step of one matrix, on the calling thread. All [rows, cols]; `m` is zero before the first.
void muon_update(const MuonSettings& settings, ConstMatrixView grad, MatrixView weights,
                 MatrixView m);

}  // namespace vimach
