// The label of the search button lacks the key that the button shows.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll(".search-button-field")) {
    const shown = button.textContent.trim().replace(/\s+/g, " ");
    button.setAttribute("aria-label", shown);
  }
});
