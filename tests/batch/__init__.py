"""Many fits in one call: curve_fit_batch, leastsq_batch and minpack.dask."""
