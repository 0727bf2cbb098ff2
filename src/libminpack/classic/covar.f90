!> (A'A)^-1 = P R^-1 R^-T P' from A P = Q R, over the columns that are independent:
!> those before the first whose diagonal is at most tol times that of the first. The
!> others have zeros. Source: Lawson and Hanson, Solving Least Squares Problems (1974),
!> chapter 12; the calling sequence is that of MINPACK's covar.
subroutine covar(n, r, ldr, ipvt, tol, wa)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   implicit none

   integer(c_int), intent(in) :: n              !< order of R
   integer(c_int), intent(in) :: ldr            !< leading dimension of r, at least n
   real(c_double), intent(inout) :: r(ldr, n)   !< in: R; out: the matrix
   integer(c_int), intent(in) :: ipvt(n)        !< the permutation P
   real(c_double), intent(in) :: tol            !< see above
   real(c_double), intent(out) :: wa(n)         !< work space
   real(c_double) :: least, factor
   integer :: rank, i, j, k

   ! R^-1 in the place of R
   least = tol*abs(r(1, 1))
   rank = 0
   do k = 1, n
      if (abs(r(k, k)) <= least) exit
      r(k, k) = 1/r(k, k)
      do j = 1, k - 1
         factor = r(k, k)*r(j, k)
         r(j, k) = 0
         do i = 1, j
            r(i, k) = r(i, k) - factor*r(i, j)
         end do
      end do
      rank = k
   end do

   ! The upper triangle of R^-1 R^-T
   do k = 1, rank
      do j = 1, k - 1
         factor = r(j, k)
         do i = 1, j
            r(i, j) = r(i, j) + factor*r(i, k)
         end do
      end do
      factor = r(k, k)
      do i = 1, k
         r(i, k) = factor*r(i, k)
      end do
   end do

   ! To the places that P says: below the diagonal, with the diagonal in wa
   do j = 1, n
      if (j > rank) r(:j, j) = 0
      do i = 1, j - 1
         r(max(ipvt(i), ipvt(j)), min(ipvt(i), ipvt(j))) = r(i, j)
      end do
      wa(ipvt(j)) = r(j, j)
   end do
   do j = 1, n
      do i = 1, j - 1
         r(i, j) = r(j, i)
      end do
      r(j, j) = wa(j)
   end do
end subroutine
