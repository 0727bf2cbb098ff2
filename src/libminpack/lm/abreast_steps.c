/* The algorithm for eight fits abreast, a fit in each lane of the registers.
 *
 * These are factor_products of rows/normal_equations.c, points.f90, gradient.f90,
 * propose.f90, lmpar.f90, qrsolv.f90 and judge.f90, with the same operations in the same
 * order, where there are no bounds and D follows the columns of J. A lane in which
 * something is unusual (a zero or a NaN where there should be none, numbers whose norm
 * needs scaling) is not in the mask that is returned, nothing of it has been changed, and
 * its fit takes this step alone. */
#include <math.h>
#include <string.h>

#include "../rows/abreast.h"
#include "../rows/lanes.h"

enum { MOST = LM_MOST_ABREAST };

/* Tolerance and iterations of lmpar.f90 */
#define CLOSE 0.1
enum { MOST_ITERATIONS = 10 };
#define DWARF 2.22507385852e-308
/* no_change of scale.f90 */
#define NO_CHANGE 1e-6
/* much, noise, nearly_zero, clear and longer of longer_steps.f90 */
#define MUCH 8.0
#define NOISE 4.0
#define NEARLY_ZERO 0x1p-14
#define CLEAR 1024.0
#define LONGER 4.0

INLINE part larger(part a, part b)
{
    return choose(greater(b, a) | ~equal(a, a), b, a);
}

INLINE part smaller(part a, part b)
{
    return choose(less(b, a) | ~equal(a, a), b, a);
}

/* |x|, in MINPACK's order */
INLINE part norm_of(int n, const part *x, mask *usual)
{
    part square = all(0);

    for (int i = 0; i < n; i++)
        square = add_square(square, x[i], usual);
    *usual &= is_unscaled(square, n);
    return ROOT(square);
}

INLINE mask is_positive(part x)
{
    return greater(x, all(0)) & at_most(x, all(DBL_MAX));
}

/* Whether squares, and products with others of such a norm, stay in range. */
INLINE mask is_within_range(part norm)
{
    return at_least(norm, all(SMALLEST_NORM)) & at_most(norm, all(LARGEST_NORM));
}

/* to(ipvt(j)) = from(j) */
INLINE void unpivot(int n, const part *ipvt, const part *from, part *to)
{
    for (int k = 0; k < n; k++) {
        part found = from[0];
        for (int j = 1; j < n; j++)
            found = choose(equal(ipvt[j], all(k + 1)), from[j], found);
        to[k] = found;
    }
}

/* to(j) = from(ipvt(j)) */
INLINE void pivot(int n, const part *ipvt, const part *from, part *to)
{
    for (int j = 0; j < n; j++) {
        part found = from[0];
        for (int k = 1; k < n; k++)
            found = choose(equal(ipvt[j], all(k + 1)), from[k], found);
        to[j] = found;
    }
}

/* n numbers of the lanes of part e */
INLINE void take(int n, const double *from, int e, part *to)
{
    for (int i = 0; i < n; i++)
        to[i] = at(from + e * WIDTH, i);
}

/* The same back, in these lanes. */
INLINE void give(int n, const part *from, mask lanes, double *to, int e)
{
    for (int i = 0; i < n; i++)
        put(to + e * WIDTH, i, choose(lanes, from[i], at(to + e * WIDTH, i)));
}

/* One number of the lanes of part e, and back */
INLINE part number(const double *x, int e)
{
    return at(x + e * WIDTH, 0);
}

INLINE void set(double *x, int e, mask lanes, part value)
{
    give(1, &value, lanes, x, e);
}

/* --- The points of the differences -------------------------------------------------- */

/* As start_watch and keep_steps have it, for the steps that minpacks_steps has found */
INLINE void first_points_part(const steps_abreast *s, int e, mask lanes, mask *watched,
                              mask *kept)
{
    int n = s->n;
    mask first = equal(number(s->iter, e), all(1)), watching = first;
    double *largest = s->watch, *looked_at = largest + n * LANES;
    double *keeps = looked_at + n * LANES, *least = keeps + n * LANES;

    for (int j = 0; j < n; j++) {
        int o = j * LANES;
        part size = size_of(number(s->x + o, e));
        part most = choose(first, all(0), number(largest + o, e));
        part before = choose(first, all(0), number(looked_at + o, e));
        part step = choose(first, all(0), number(keeps + o, e));
        mask has_grown = greater(size, MUCH * before);
        step = choose(has_grown, all(0), step);
        watching |= has_grown | less(MUCH * size, before) | greater(step, all(0));
        set(largest + o, e, lanes, choose(greater(size, most), size, most));
        set(looked_at + o, e, lanes, before);
        set(keeps + o, e, lanes, step);
    }
    watching &= lanes;
    *watched = watching;
    *kept = watching & ~watching;
    for (int j = 0; j < n; j++) {
        int o = j * LANES;
        part x = number(s->x + o, e), size = size_of(x), h = s->relative[j] * size;
        h = choose(equal(h, all(0)), all(s->relative[j]), h);
        if (set_of(watching) != 0) {
            part step = number(keeps + o, e);
            mask is_small = less(size, NEARLY_ZERO * number(largest + o, e));
            set(looked_at + o, e, watching, size);
            set(least + o, e, watching,
                choose(is_small, all(CLEAR * s->rounding), all(NOISE * s->rounding)));
            step = choose(at_least(LONGER * h, step), all(0), step);
            set(keeps + o, e, watching, step);
            h = choose(watching & greater(step, h), step, h);
            *kept |= watching & greater(step, all(0));
        }
        set(s->h + o, e, lanes, h);
        set(s->moved_x + o, e, lanes, x + h);
    }
    set(s->nfev, e, lanes, number(s->nfev, e) + s->counted);
    set(s->points, e, lanes, number(s->points, e) + n);
}

void KERNEL(abreast_first_points)(steps_abreast *s, unsigned lanes)
{
    s->watched = s->kept = 0;
    for (int e = 0; e < PARTS; e++) {
        mask watched, kept;
        first_points_part(s, e, lanes_of(lanes, e), &watched, &kept);
        s->watched |= set_of(watched) << (e * WIDTH);
        s->kept |= set_of(kept) << (e * WIDTH);
    }
}

/* --- R by the normal equations ----------------------------------------------------- */

/* Exchange a and b where `moves`. */
INLINE void swap(mask moves, part *a, part *b)
{
    part before = *a;

    *a = choose(moves, *b, before);
    *b = choose(moves, before, *b);
}

/* The sum of products of the first j numbers of two columns, as any_dots adds it up */
INLINE part dot_of(int j, part r[][MOST + 1], int a, int b)
{
    part even[LANES], odd[LANES];

    switch (j) { /* without the partial sums that are 0 */
    case 0:
        return all(0);
    case 1:
        return r[0][a] * r[0][b];
    case 2:
        return r[0][a] * r[0][b] + r[1][a] * r[1][b];
    case 3:
        return (r[0][a] * r[0][b] + r[2][a] * r[2][b]) + r[1][a] * r[1][b];
    }
    for (int c = 0; c < LANES; c++)
        even[c] = odd[c] = all(0);
    for (int i = 0; i < j; i++)
        (i < LANES ? even : odd)[i % LANES] += r[i][a] * r[i][b];
    for (int c = 0; c < LANES; c++)
        even[c] += odd[c];
    return sum_of(even);
}

/* g (n + 1, n + 1): all of (J f)'(J f), its rows and columns in the order of R's */
INLINE mask factor_part(const steps_abreast *s, int n, part g[][MOST + 1], int e,
                        mask usual)
{
    part r[MOST][MOST + 1], left[MOST], ipvt[MOST], acnorm[MOST];

    for (int j = 0; j < n; j++) {
        left[j] = g[j][j];
        ipvt[j] = all(j + 1);
        acnorm[j] = ROOT(g[j][j]);
        usual &= is_within_range(acnorm[j]);
    }
    for (int j = 0; j < n; j++) {
        part longest = left[j], next = all(j);
        for (int k = j + 1; k < n; k++) {
            mask is_longer = greater(left[k], longest);
            longest = choose(is_longer, left[k], longest);
            next = choose(is_longer, all(k), next);
        }
        for (int k = j + 1; k < n; k++) {
            mask moves = equal(next, all(k));
            if (set_of(moves) == 0)
                continue;
            swap(moves, &left[j], &left[k]);
            swap(moves, &ipvt[j], &ipvt[k]);
            for (int i = 0; i < j; i++)
                swap(moves, &r[i][j], &r[i][k]);
            for (int i = 0; i <= n; i++)
                swap(moves, &g[i][j], &g[i][k]);
            for (int i = 0; i <= n; i++)
                swap(moves, &g[j][i], &g[k][i]);
        }
        usual &= greater(left[j], LEAST_PART * g[j][j]);
        part diagonal = ROOT(left[j]), inverse = 1 / diagonal;
        for (int k = j + 1; k <= n; k++) {
            r[j][k] = (g[j][k] - dot_of(j, r, j, k)) * inverse;
            if (k < n)
                left[k] -= r[j][k] * r[j][k];
        }
        r[j][j] = diagonal;
    }
    for (int j = 0; j < n; j++)
        for (int i = 0; i <= j; i++)
            give(1, &r[i][j], usual, s->r + (i + (size_t)j * n) * LANES, e);
    for (int i = 0; i < n; i++)
        give(1, &r[i][n], usual, s->qtf + (size_t)i * LANES, e);
    give(n, ipvt, usual, s->ipvt, e);
    give(n, acnorm, usual, s->acnorm, e);
    return usual;
}

unsigned KERNEL(abreast_factor_products)(const steps_abreast *s, const double *g,
                                         unsigned lanes)
{
    int n = s->n;
    unsigned usual = 0;
    part own[MOST + 1][MOST + 1];

    for (int e = 0; e < PARTS; e++) {
        for (int k = 0; k <= n; k++)
            for (int i = 0; i <= k; i++)
                own[i][k] = own[k][i] = at(g + e * WIDTH, i + k * (n + 1));
        part fnorm = number(s->fnorm, e);
        mask ok = lanes_of(lanes, e) & (equal(fnorm, all(0)) | is_within_range(fnorm));
        usual |= set_of(factor_part(s, n, own, e, ok)) << (e * WIDTH);
    }
    return usual;
}

/* --- lmpar ------------------------------------------------------------------------ */

/* R of a part, R(i,j) as r[i][j], and what goes with it */
typedef struct {
    int n;
    part r[MOST][MOST];
    part ipvt[MOST], qtf[MOST];
    part diag[MOST], pivoted_diag[MOST];
} factors_of_part;

/* P R^-1 Q'f, in the order of R's columns */
INLINE void gauss_newton(const factors_of_part *f, part *z)
{
    for (int j = 0; j < f->n; j++)
        z[j] = f->qtf[j];
    for (int j = f->n - 1; j >= 0; j--) {
        z[j] /= f->r[j][j];
        for (int i = 0; i < j; i++)
            z[i] -= f->r[i][j] * z[j];
    }
}

/* z of qrsolv with the diagonal d, in the order of R's columns: s[i][j], i >= j, becomes
 * the triangle S', its diagonal included. */
INLINE void solve_damped(const factors_of_part *f, const part *d, part s[][MOST], part *z)
{
    int n = f->n;

    for (int j = 0; j < n; j++) {
        for (int i = j; i < n; i++)
            s[i][j] = f->r[j][i];
        z[j] = f->qtf[j];
    }
    for (int j = 0; j < n; j++) {
        part row[MOST], rest = all(0); /* row j of D, and Q'f beside it */
        for (int k = j; k < n; k++)
            row[k] = all(0);
        row[j] = d[j];
        for (int k = j; k < n; k++) {
            mask skip = equal(row[k], all(0));
            mask steep = less(size_of(s[k][k]), size_of(row[k]));
            part q = choose(steep, s[k][k], row[k]) / choose(steep, row[k], s[k][k]);
            part one = 0.5 / ROOT(0.25 + 0.25 * (q * q)), other = one * q;
            part cos = choose(steep, other, one), sin = choose(steep, one, other);
            cos = choose(skip, all(1), cos);
            part diagonal = cos * s[k][k] + sin * row[k];
            part turned = cos * z[k] + sin * rest, left = -sin * z[k] + cos * rest;
            s[k][k] = choose(skip, s[k][k], diagonal);
            rest = choose(skip, rest, left);
            z[k] = choose(skip, z[k], turned);
            for (int i = k + 1; i < n; i++) {
                part below = cos * s[i][k] + sin * row[i];
                row[i] = choose(skip, row[i], -sin * s[i][k] + cos * row[i]);
                s[i][k] = choose(skip, s[i][k], below);
            }
        }
    }
    for (int j = n - 1; j >= 0; j--) {
        part total = all(0);
        for (int i = j + 1; i < n; i++)
            total += s[i][j] * z[i];
        z[j] = (z[j] - total) / s[j][j];
    }
}

/* P'D (D x/|D x|), where dx is D x */
INLINE void gradient_of_norm(const factors_of_part *f, const part *dx, part dxnorm,
                             part *to)
{
    part scaled[MOST];

    for (int k = 0; k < f->n; k++)
        scaled[k] = f->diag[k] * (dx[k] / dxnorm);
    pivot(f->n, f->ipvt, scaled, to);
}

/* x from z, D x and its norm */
INLINE part measure(const factors_of_part *f, const part *z, part *x, part *dx,
                    mask *usual)
{
    unpivot(f->n, f->ipvt, z, x);
    for (int k = 0; k < f->n; k++)
        dx[k] = f->diag[k] * x[k];
    return norm_of(f->n, dx, usual);
}

/* The lower bound on par, by Newton's step from 0 */
INLINE part lower_bound(const factors_of_part *f, const part *dx, part dxnorm, part phi,
                        part delta, mask *usual)
{
    part w[MOST];

    gradient_of_norm(f, dx, dxnorm, w);
    for (int j = 0; j < f->n; j++) {
        part total = all(0);
        for (int i = 0; i < j; i++)
            total += f->r[i][j] * w[i];
        w[j] = (w[j] - total) / f->r[j][j];
    }
    part temp = norm_of(f->n, w, usual);
    return ((phi / delta) / temp) / temp;
}

/* |D^-1 J'f| */
INLINE part scaled_gradient(const factors_of_part *f, mask *usual)
{
    part w[MOST];

    for (int j = 0; j < f->n; j++) {
        part total = all(0);
        for (int i = 0; i <= j; i++)
            total += f->r[i][j] * f->qtf[i];
        w[j] = total / f->pivoted_diag[j];
    }
    return norm_of(f->n, w, usual);
}

/* Newton's correction of par */
INLINE part correction(const factors_of_part *f, part s[][MOST], const part *dx,
                       part dxnorm, part phi, part delta, mask *usual)
{
    part w[MOST];

    gradient_of_norm(f, dx, dxnorm, w);
    for (int j = 0; j < f->n; j++) {
        w[j] /= s[j][j];
        for (int i = j + 1; i < f->n; i++)
            w[i] -= s[i][j] * w[j];
    }
    part temp = norm_of(f->n, w, usual);
    return ((phi / delta) / temp) / temp;
}

/* x and par, in the lanes that are `wanted`; returns those in which all was usual. */
INLINE mask find_step(const factors_of_part *f, part delta, mask wanted, part *x,
                      part *par)
{
    int n = f->n;
    part z[MOST], dx[MOST], s[MOST][MOST];
    mask usual = every_lane();

    for (int j = 0; j < n; j++)
        usual &= ~equal(f->r[j][j], all(0));
    gauss_newton(f, z);
    part dxnorm = measure(f, z, x, dx, &usual), phi = dxnorm - delta;
    mask inside = at_most(phi, CLOSE * delta);
    mask active = wanted & usual & ~inside;
    part chosen = choose(inside, all(0), *par);
    if (set_of(active) == 0) {
        *par = chosen;
        return usual;
    }

    mask seen = usual; /* of the lanes that go on */
    part parl = lower_bound(f, dx, dxnorm, phi, delta, &seen);
    part gnorm = scaled_gradient(f, &seen), paru = gnorm / delta;
    seen &= ~equal(paru, all(0));
    part p = smaller(larger(*par, parl), paru);
    p = choose(equal(p, all(0)), gnorm / dxnorm, p);
    usual &= seen | ~active;
    active &= seen;
    for (int iteration = 1; set_of(active) != 0; iteration++) {
        part d[MOST], own_x[MOST];
        seen = every_lane();
        p = choose(equal(p, all(0)), larger(all(DWARF), 0.001 * paru), p);
        part root = ROOT(p);
        for (int j = 0; j < n; j++) {
            d[j] = root * f->pivoted_diag[j];
            seen &= ~equal(d[j], all(0));
        }
        solve_damped(f, d, s, z);
        for (int j = 0; j < n; j++)
            seen &= ~equal(s[j][j], all(0));
        dxnorm = measure(f, z, own_x, dx, &seen);
        part before = phi;
        phi = dxnorm - delta;
        mask ends = at_most(size_of(phi), CLOSE * delta)
                    | (equal(parl, all(0)) & at_most(phi, before) & less(before, all(0)));
        if (iteration == MOST_ITERATIONS)
            ends = every_lane();
        usual &= seen | ~active;
        active &= seen;
        for (int k = 0; k < n; k++)
            x[k] = choose(active & ends, own_x[k], x[k]);
        chosen = choose(active & ends, p, chosen);
        active &= ~ends;
        if (set_of(active) == 0)
            break;
        seen = every_lane();
        part parc = correction(f, s, dx, dxnorm, phi, delta, &seen);
        usual &= seen | ~active;
        active &= seen;
        parl = choose(greater(phi, all(0)), larger(parl, p), parl);
        paru = choose(less(phi, all(0)), smaller(paru, p), paru);
        p = larger(parl, p + parc);
    }
    *par = chosen;
    return usual;
}

/* --- A step ----------------------------------------------------------------------- */

INLINE void take_factors(const steps_abreast *s, int n, int e, factors_of_part *f)
{
    f->n = n;
    for (int j = 0; j < n; j++)
        for (int i = 0; i <= j; i++)
            take(1, s->r + (i + (size_t)j * n) * LANES, e, &f->r[i][j]);
    take(n, s->ipvt, e, f->ipvt);
    take(n, s->qtf, e, f->qtf);
    take(n, s->diag, e, f->diag);
}

/* The largest cosine between fvec and a column of J */
INLINE part largest_cosine(const factors_of_part *f, part fnorm, const part *acnorm)
{
    part pivoted[MOST], gnorm = all(0);

    pivot(f->n, f->ipvt, acnorm, pivoted);
    for (int j = 0; j < f->n; j++) {
        part total = all(0);
        for (int i = 0; i <= j; i++)
            total += f->r[i][j] * (f->qtf[i] / fnorm);
        gnorm = larger(gnorm, size_of(total / pivoted[j]));
    }
    return gnorm;
}

/* The first D, |D x| and step bound, of the fits that have made no step. */
INLINE void set_first_bound(const steps_abreast *s, const part *acnorm, part fnorm,
                            mask first, const part *x, factors_of_part *f, part *xnorm,
                            part *delta, mask *usual)
{
    part dx[MOST];
    mask seen = every_lane();

    for (int j = 0; j < f->n; j++) {
        f->diag[j] = choose(first, acnorm[j], f->diag[j]);
        dx[j] = f->diag[j] * x[j];
    }
    part length = norm_of(f->n, dx, &seen), bound = s->factor * length;
    seen &= greater(bound, NO_CHANGE * fnorm);
    *usual &= seen | ~first;
    *xnorm = choose(first, length, *xnorm);
    *delta = choose(first, bound, *delta);
}

/* After a linearization, in the lanes `tests`: the test of the gradient and D; then, in
 * all these lanes but those where it ends, the next step. */
INLINE mask propose_part(const steps_abreast *s, int n, int e, mask lanes, mask tests)
{
    factors_of_part f;
    part acnorm[MOST], x[MOST], p[MOST], dp[MOST], x_trial[MOST];
    part fnorm = number(s->fnorm, e), xnorm = number(s->xnorm, e);
    part delta = number(s->delta, e), par = number(s->par, e);
    part gnorm = number(s->gnorm, e);
    mask first = equal(number(s->iter, e), all(1)), usual = lanes;

    take_factors(s, n, e, &f);
    take(n, s->acnorm, e, acnorm);
    take(n, s->x, e, x);
    usual &= is_positive(fnorm);
    for (int j = 0; j < n; j++)
        usual &= ~tests | is_positive(acnorm[j]);
    if (set_of(tests & first) != 0)
        set_first_bound(s, acnorm, fnorm, tests & first, x, &f, &xnorm, &delta, &usual);
    if (set_of(tests) != 0) {
        part cosine = largest_cosine(&f, fnorm, acnorm);
        gnorm = choose(tests, cosine, gnorm);
        usual &= ~tests | greater(cosine, all(s->gtol)); /* else it ends */
        for (int j = 0; j < n; j++)
            f.diag[j] = choose(tests, larger(f.diag[j], acnorm[j]), f.diag[j]);
    }
    pivot(n, f.ipvt, f.diag, f.pivoted_diag);
    usual &= find_step(&f, delta, usual, p, &par);
    for (int j = 0; j < n; j++) {
        p[j] = -p[j];
        x_trial[j] = x[j] + p[j];
        dp[j] = f.diag[j] * p[j];
    }
    part pnorm = norm_of(n, dp, &usual);
    delta = choose(first, smaller(delta, pnorm), delta);

    give(n, f.diag, usual, s->diag, e);
    give(n, p, usual, s->step, e);
    give(n, x_trial, usual, s->x_trial, e);
    set(s->xnorm, e, usual, xnorm);
    set(s->delta, e, usual, delta);
    set(s->par, e, usual, par);
    set(s->gnorm, e, usual, gnorm);
    set(s->pnorm, e, usual, pnorm);
    set(s->nfev, e, usual, number(s->nfev, e) + 1);
    return usual;
}

INLINE unsigned propose(const steps_abreast *s, int n, unsigned lanes, unsigned tests)
{
    unsigned usual = 0;

    for (int e = 0; e < PARTS; e++)
        if (set_of(lanes_of(lanes, e)) != 0)
            usual |= set_of(propose_part(s, n, e, lanes_of(lanes, e),
                                         lanes_of(lanes & tests, e)))
                     << (e * WIDTH);
    return usual;
}

unsigned KERNEL(abreast_propose)(const steps_abreast *s, unsigned lanes, unsigned tests)
{
    switch (s->n) {
#if WIDTH > 2
    case 2:
        return propose(s, 2, lanes, tests);
    case 3:
        return propose(s, 3, lanes, tests);
#endif
    default:
        return propose(s, s->n, lanes, tests);
    }
}

/* --- Its judgement ---------------------------------------------------------------- */

/* Whether both reductions are this small. */
INLINE mask are_within(double tolerance, part actred, part prered, part ratio)
{
    return at_most(size_of(actred), all(tolerance)) & at_most(prered, all(tolerance))
           & at_most(0.5 * ratio, all(1));
}

INLINE mask judge_part(const steps_abreast *s, int e, mask lanes, mask *moved,
                       mask *ended)
{
    int n = s->n;
    factors_of_part f;
    part x[MOST], x_trial[MOST], step[MOST], pivoted[MOST], rp[MOST], dx[MOST];
    part fnorm = number(s->fnorm, e), trial = number(s->fnorm_trial, e);
    part delta = number(s->delta, e), par = number(s->par, e);
    part pnorm = number(s->pnorm, e), xnorm = number(s->xnorm, e);
    part iter = number(s->iter, e);
    mask usual = lanes & is_positive(fnorm) & at_most(trial, all(DBL_MAX));

    take_factors(s, n, e, &f);
    take(n, s->x, e, x);
    take(n, s->x_trial, e, x_trial);
    take(n, s->step, e, step);
    pivot(n, f.ipvt, step, pivoted);
    for (int j = 0; j < n; j++) {
        rp[j] = all(0);
        for (int i = 0; i <= j; i++)
            rp[i] += f.r[i][j] * pivoted[j];
    }
    part relative = trial / fnorm;
    part actred = choose(less(0.1 * trial, fnorm), 1 - relative * relative, all(-1));
    part jp = norm_of(n, rp, &usual) / fnorm, damped = (ROOT(par) * pnorm) / fnorm;
    part prered = jp * jp + (damped * damped) / 0.5,
         dirder = -(jp * jp + damped * damped);
    part ratio = choose(equal(prered, all(0)), all(0), actred / prered);

    /* The step bound */
    mask good = greater(ratio, all(0.25));
    mask grows = good & (equal(par, all(0)) | at_least(ratio, all(0.75)));
    part shrink =
        choose(less(actred, all(0)), 0.5 * dirder / (dirder + 0.5 * actred), all(0.5));
    shrink =
        choose(at_least(0.1 * trial, fnorm) | less(shrink, all(0.1)), all(0.1), shrink);
    part shrunk = shrink * smaller(delta, pnorm / 0.1);
    delta = choose(grows, pnorm / 0.5, choose(good, delta, shrunk));
    par = choose(grows, 0.5 * par, choose(good, par, par / shrink));

    /* The trial point */
    mask is_better = at_least(ratio, all(0.0001)), seen = every_lane();
    for (int j = 0; j < n; j++)
        dx[j] = f.diag[j] * x_trial[j];
    xnorm = choose(is_better, norm_of(n, dx, &seen), xnorm);
    usual &= seen | ~is_better;

    /* The end: verdict tells which. Where the first step fails and seems to be the last,
     * D may have to be set anew. */
    mask converged =
        are_within(s->ftol, actred, prered, ratio) | at_most(delta, s->xtol * xnorm);
    usual &= is_better | ~converged | greater(iter, all(1));
    converged |= at_least(number(s->nfev, e), all(s->maxfev))
                 | are_within(EPSMCH, actred, prered, ratio)
                 | at_most(delta, EPSMCH * xnorm)
                 | at_most(number(s->gnorm, e), all(EPSMCH));

    *moved = usual & is_better;
    *ended = usual & converged;
    give(n, x_trial, *moved, s->x, e);
    set(s->fnorm, e, *moved, trial);
    set(s->xnorm, e, *moved, xnorm);
    set(s->iter, e, *moved, iter + 1);
    set(s->lowered, e, *moved, actred);
    set(s->delta, e, usual, delta);
    set(s->par, e, usual, par);
    set(s->actred, e, usual, actred);
    set(s->prered, e, usual, prered);
    set(s->ratio, e, usual, ratio);
    return usual;
}

unsigned KERNEL(abreast_judge)(steps_abreast *s, unsigned lanes)
{
    unsigned usual = 0;

    s->moved = s->ended = 0;
    for (int e = 0; e < PARTS; e++) {
        mask moved, ended;
        if (set_of(lanes_of(lanes, e)) == 0)
            continue;
        usual |= set_of(judge_part(s, e, lanes_of(lanes, e), &moved, &ended))
                 << (e * WIDTH);
        s->moved |= set_of(moved) << (e * WIDTH);
        s->ended |= set_of(ended) << (e * WIDTH);
    }
    return usual;
}
