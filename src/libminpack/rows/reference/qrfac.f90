!> The QR factorization with column pivoting, in MINPACK's order of operations.
module reference_qrfac
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use lm_types, only: wp, epsmch, larger
   use reference_enorm, only: enorm
   implicit none
   private
   public :: qrfac

contains

   !> J P = Q R and Q'fvec; ANL-80-74, the part of lmder that forms them.
   subroutine factor(m, n, fjac, ldfjac, ipvt, acnorm, rdiag, work_n, fvec, qtf) &
      bind(c, name="minpack_reference_factor")
      integer(c_int), value, intent(in) :: m, n, ldfjac
      real(c_double), intent(inout) :: fjac(ldfjac, n) !< out: R above, reflectors below
      integer(c_int), intent(out) :: ipvt(n)  !< the permutation P
      real(c_double), intent(out) :: acnorm(n)!< norms of the columns of J
      real(c_double), intent(out) :: rdiag(n) !< the diagonal of R
      real(c_double), intent(out) :: work_n(n)!< work space
      real(c_double), intent(in) :: fvec(m)   !< the residuals
      real(c_double), intent(out) :: qtf(m)   !< Q'fvec
      integer :: j

      call qrfac(m, n, fjac, ldfjac, ipvt, rdiag, acnorm, work_n)
      qtf = fvec
      do j = 1, n
         ! The sign that reflect() takes differs from MINPACK's here by two
         ! exact negations, so the bits are the same.
         if (fjac(j, j) /= 0) call reflect(m - j + 1, fjac(j, j), qtf(j))
         fjac(j, j) = rdiag(j)
      end do
   end subroutine

   !> J P = Q R by Householder reflections.
   !>
   !> Reflection j is I - v v'/v(1), with v kept in column j of a from row j down.
   !> Source: ANL-80-74, qrfac; the algorithm is that of Businger and Golub, Numer. Math.
   !> 7, 269-276 (1965).
   subroutine qrfac(m, n, a, lda, ipvt, rdiag, acnorm, wa, pivots)
      integer(c_int), intent(in) :: m, n, lda
      real(wp), intent(inout) :: a(lda, n)   !< out: R above the diagonal, reflectors else
      integer(c_int), intent(inout) :: ipvt(*) !< (n) the permutation P, if it pivots
      real(wp), intent(out) :: rdiag(n)      !< the diagonal of R
      real(wp), intent(out) :: acnorm(n)     !< norms of the columns of J
      real(wp), intent(out) :: wa(n)         !< norms when last computed afresh
      logical, intent(in), optional :: pivots!< .false.: the columns stay in their order
      logical :: exchanges
      integer :: j, k

      exchanges = .true.
      if (present(pivots)) exchanges = pivots
      do j = 1, n
         acnorm(j) = enorm(m, a(1, j))
         rdiag(j) = acnorm(j)
         wa(j) = acnorm(j)
         if (exchanges) ipvt(j) = j
      end do

      do j = 1, min(m, n)
         if (exchanges) call bring_longest_column_to(j)
         call make_reflection(m - j + 1, a(j, j), rdiag(j))
         if (rdiag(j) == 0) cycle
         do k = j + 1, n
            call reflect(m - j + 1, a(j, j), a(j, k))
            if (exchanges .and. rdiag(k) /= 0) call downdate_norm(j, k)
         end do
      end do

   contains

      !> Exchange column j with the one of the largest remaining norm.
      subroutine bring_longest_column_to(j)
         integer, intent(in) :: j
         integer :: kmax, k, i, l
         real(wp) :: swap

         kmax = j
         do k = j, n
            if (rdiag(k) > rdiag(kmax)) kmax = k
         end do
         if (kmax == j) return
         do i = 1, m
            swap = a(i, j)
            a(i, j) = a(i, kmax)
            a(i, kmax) = swap
         end do
         rdiag(kmax) = rdiag(j)
         wa(kmax) = wa(j)
         l = ipvt(j)
         ipvt(j) = ipvt(kmax)
         ipvt(kmax) = l
      end subroutine

      !> The norm of column k below row j, without row j; afresh where the update
      !> has lost half of its digits.
      subroutine downdate_norm(j, k)
         integer, intent(in) :: j, k

         rdiag(k) = rdiag(k)*sqrt(larger(0.0_wp, 1 - (a(j, k)/rdiag(k))**2))
         if (0.05_wp*(rdiag(k)/wa(k))**2 > epsmch) return
         rdiag(k) = enorm(m - j, a(j + 1, k))
         wa(k) = rdiag(k)
      end subroutine
   end subroutine

   !> The reflection that takes a to a multiple of e1: a becomes v, and alpha the
   !> multiple, or 0 where a is 0.
   subroutine make_reflection(m, a, alpha)
      integer, intent(in) :: m
      real(wp), intent(inout) :: a(m)
      real(wp), intent(out) :: alpha
      real(wp) :: norm
      integer :: i

      norm = enorm(m, a)
      alpha = -norm
      if (norm == 0) return
      if (a(1) < 0) norm = -norm
      do i = 1, m
         a(i) = a(i)/norm
      end do
      a(1) = a(1) + 1
      alpha = -norm
   end subroutine

   !> a := (I - v v'/v(1)) a
   subroutine reflect(m, v, a)
      integer, intent(in) :: m
      real(wp), intent(in) :: v(m)
      real(wp), intent(inout) :: a(m)
      real(wp) :: dot
      integer :: i

      dot = 0
      do i = 1, m
         dot = dot + v(i)*a(i)
      end do
      dot = dot/v(1)
      do i = 1, m
         a(i) = a(i) - dot*v(i)
      end do
   end subroutine
end module
