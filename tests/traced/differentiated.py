"""Records with their derivatives, run node by node."""

import numpy as np

from minpack._traced.derivatives import derivatives
from minpack._traced.trace import Trace

X = np.array([0.25, 0.5, 1.5, 2.0])


class Record:
    """A function of parameters and of the points, recorded and differentiated."""

    def __init__(self, function, n, x=X):
        self.trace = Trace(len(x))
        parameters = [self.trace.parameter(j) for j in range(n)]
        answer = function(self.trace.argument(x), *parameters)
        self.outputs = answer if isinstance(answer, list) else [answer]
        self.rows = derivatives(self.trace, self.outputs, n)

    def __call__(self, *p):
        """Return the derivatives of the first output, as an array (n, points)."""
        memo = {}
        with np.errstate(all="ignore"):
            return [np.asarray(self.value(node, p, memo)) for node in self.rows[0]]

    def value(self, node, p, memo):
        if id(node) in memo:
            return memo[id(node)]
        values = [self.value(each, p, memo) for each in node.operands]
        if node.op == "parameter":
            out = np.float64(p[node.payload])
        elif not values:
            out = self.trace.value(node)
        elif node.op == "cast":
            out = np.asarray(values[0]).astype(node.char)[()]
        elif node.op == "select":
            out = np.where(*values)
        elif node.op == "matmul":
            out = node.payload @ np.array(values)
        else:
            op = np.power if node.op == "pow" else node.op
            out = op(*values)
            out = out[node.payload] if op.nout > 1 else out
        memo[id(node)] = out
        return out

    def count(self):
        """Count operations on vectors: those of the value, and the further ones."""
        value, both = set(), set()

        def visit(node, seen):
            if id(node) not in seen:
                seen.add(id(node))
                for each in node.operands:
                    visit(each, seen)

        for seen, nodes in (
            (value, self.outputs),
            (both, sum(self.rows, self.outputs)),
        ):
            for node in nodes:
                visit(node, seen)
        vectors = {
            id(node)
            for node in self.trace.nodes.values()
            if node.length is not None and node.operands
        }
        return len(value & vectors), len((both - value) & vectors)
