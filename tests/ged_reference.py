"""Records what tests/ged_test.cpp compares with: SciPy's generalized eigenvalues of a sample's
covariances, the lower one shrunk. Needs python3-scipy.
  /usr/bin/python3 tests/ged_reference.py > tests/fixtures/ged_scipy.txt
"""
import numpy as np
from scipy.linalg import eigh

rng = np.random.default_rng(5)
n, d, gamma = 15, 20, 0.01
a = rng.normal(size=(n, d)) * np.linspace(3, 0.5, d)
b = rng.normal(size=(n, d)) * np.linspace(0.5, 3, d)
S, R = np.cov(a.T), np.cov(b.T)
shrunk = (1 - gamma) * R + gamma * np.trace(R) / d * np.eye(d)
values, vectors = eigh(S, shrunk)
print(n, d, gamma)
for matrix in (a, b, S, R, shrunk, values[::-1][None, :], vectors[:, ::-1].T):
    for row in matrix:
        print(" ".join(f"{x:.17g}" for x in row))
