// A figure opens enlarged over the page; without this script its link opens the picture's own file.
const dialog = document.querySelector("dialog");
const enlarged = dialog.querySelector("img");
for (const link of document.querySelectorAll("a.enlarge")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const image = link.querySelector("img");
    enlarged.src = image.src;
    enlarged.alt = image.alt;
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());
