#include "repartee/base/ids.hpp"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <stdexcept>

namespace repartee {
namespace {

constexpr std::string_view alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t id_length = 21;

// One system call serves many ids.
std::uint8_t random_byte()
{
    thread_local std::array<std::uint8_t, 256> pool;
    thread_local std::size_t used = pool.size();
    if (used == pool.size()) {
        if (::getrandom(pool.data(), pool.size(), 0) != static_cast<ssize_t>(pool.size()))
            throw std::runtime_error("getrandom failed");
        used = 0;
    }
    return pool[used++];
}

}  // namespace

std::string make_id(std::string_view prefix)
{
    std::string id(prefix);
    id.reserve(prefix.size() + id_length);
    while (id.size() < prefix.size() + id_length) {
        const std::uint8_t byte = random_byte() & 63;
        if (byte < alphabet.size()) id += alphabet[byte];  // rejection keeps the letters equally likely
    }
    return id;
}

}  // namespace repartee
