"""One fit of Dask arrays: minpack.dask.curve_fit, and the pieces that it is made of."""
