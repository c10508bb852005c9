// weights/fetch.sh led-page: chapter 3's page from a server that answers well or badly. A page has
// no published size or hash, so what must hold is that a file under the final name has both marks
// between which the chapter reads, and that nothing else ever stands there.
#include <doctest/doctest.h>

#include "fetch_place.h"

using namespace vimach;
using namespace vimach::test;

namespace {

/// Whether the script fails with one line that holds the phrase, and leaves no page.
void check_no_page(Place& place, const std::string& mode, const std::string& phrase,
                   const std::string& before = "") {
    place.check_refused(mode, phrase, before + "$F led-page");
    CHECK_FALSE(std::filesystem::exists(place.file("my weights/led-page/page.html")));
}

}  // namespace

TEST_CASE("fetch: the page arrives, says what was checked, and is not fetched twice") {
    with_each([](Place& place) {
        std::string final = place.file("my weights/led-page/page.html");
        Outcome outcome = place.run("redirect", "$F led-page");
        CHECK_MESSAGE(outcome.status == 0, outcome.err);
        CHECK(outcome.err == "");
        check_contains(outcome.out, std::to_string(sent_page().size()) + " bytes with both marks");
        check_contains(outcome.out, "no published hash");
        CHECK(read_raw(final) == sent_page());

        place.requests();
        outcome = place.run("ok", "$F led-page");
        CHECK(outcome.status == 0);
        check_contains(outcome.out, "is already there");
        CHECK(place.requests() == "");

        // What stands there without the marks is no page, and makes way for one.
        write_raw(final, "an error page");
        CHECK(place.run("ok", "$F led-page").status == 0);
        CHECK(read_raw(final) == sent_page());
    });
}

TEST_CASE("fetch: a page that is empty, cut off or refused leaves no file") {
    with_each([](Place& place) {
        check_no_page(place, "empty", "sent has no mw-body-content");
        check_no_page(place, "short", "sent has no mw-body-content");
        check_no_page(place, "404", "answered HTTP 404 when asked for the page");
        check_no_page(place, "500", "answered HTTP 500 when asked for the page");
        check_no_page(place, "truncate", "broke when asked for the page");
        check_no_page(place, "drop", "broke when asked for the page");
        check_no_page(place, "silent", "sent nothing for 1 s", "VIMACH_STALL=1 ");
        check_no_page(place, "stall", "sent nothing for 1 s", "VIMACH_STALL=1 ");
        check_no_page(place, "ok", "free some space there", "trap '' XFSZ; ulimit -f 2; ");

        // Half a page of before is not continued: the page may have changed.
        place.requests();
        CHECK(place.run("ok", "$F led-page").status == 0);
        CHECK(place.requests() == " file");
        CHECK(read_raw(place.file("my weights/led-page/page.html")) == sent_page());

        place.stop_server();
        std::filesystem::remove(place.file("my weights/led-page/page.html"));
        check_no_page(place, "ok", "cannot reach http://127.0.0.1:");
    });
}
