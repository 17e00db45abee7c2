#include "repartee/base/ids.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

using namespace repartee;

TEST_CASE("an id is its prefix and 21 letters and digits")
{
    for (const char* prefix : {"item_", "sess_", ""}) {
        const std::string id = make_id(prefix);
        REQUIRE(id.size() == std::string_view(prefix).size() + 21);
        CHECK(id.starts_with(prefix));
        CHECK(std::all_of(id.end() - 21, id.end(), [](unsigned char c) { return std::isalnum(c) != 0; }));
    }
}

TEST_CASE("ids of several threads differ")
{
    std::mutex mutex;
    std::set<std::string> ids;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                std::vector<std::string> own;
                for (int i = 0; i < 1'000; ++i) own.push_back(make_id("x_"));
                const std::lock_guard lock(mutex);
                ids.insert(own.begin(), own.end());
            });
    }
    CHECK(ids.size() == 4'000);
}

TEST_CASE("every letter is about equally likely")
{
    std::array<int, 128> seen{};
    for (int i = 0; i < 4'000; ++i)
        for (char c : make_id("")) ++seen[static_cast<std::size_t>(c)];
    // 84 000 letters, 1355 expected of each, standard deviation 37: ten deviations never fail by chance.
    int letters = 0;
    for (int count : seen) {
        if (count == 0) continue;
        ++letters;
        CHECK(std::abs(count - 84'000 / 62) < 370);
    }
    CHECK(letters == 62);
}
