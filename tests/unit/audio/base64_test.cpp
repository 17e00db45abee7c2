#include "repartee/audio/base64.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>
#include <openssl/evp.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

using namespace repartee::audio;
using repartee::audio::signals::Noise;

namespace {

using Bytes = std::vector<std::byte>;

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::vector<Base64Kernel> kernels_of_this_cpu()
{
    std::vector<Base64Kernel> kernels;
    for (const Base64Kernel& kernel : base64_kernels())
        if (kernel.supported()) kernels.push_back(kernel);
    return kernels;
}

Bytes random_bytes(Noise& noise, std::size_t n)
{
    Bytes bytes(n);
    for (auto& byte : bytes) byte = static_cast<std::byte>(noise.bits());
    return bytes;
}

// Buffers are of exactly the promised size and on the heap, so that AddressSanitizer sees every byte too many.

std::string encode(const Base64Kernel& kernel, const Bytes& bytes)
{
    const std::unique_ptr<std::byte[]> in(new std::byte[bytes.size()]);
    if (!bytes.empty()) std::memcpy(in.get(), bytes.data(), bytes.size());
    const std::size_t room = base64_encoded_bytes(bytes.size());
    const std::unique_ptr<char[]> out(new char[room]);
    const std::size_t n = kernel.encode(in.get(), bytes.size(), out.get());
    REQUIRE(n == room);
    return std::string(out.get(), n);
}

struct Decoded {
    Bytes bytes;
    std::size_t error_at;

    bool operator==(const Decoded&) const = default;
};

Decoded decode(const Base64Kernel& kernel, std::string_view text)
{
    const std::unique_ptr<char[]> in(new char[text.size()]);
    text.copy(in.get(), text.size());
    const std::unique_ptr<std::byte[]> out(new std::byte[base64_decoded_bytes_max(text.size())]);
    const Base64Decoded decoded = kernel.decode(in.get(), text.size(), out.get());
    REQUIRE(decoded.bytes <= base64_decoded_bytes_max(text.size()));
    return {Bytes(out.get(), out.get() + decoded.bytes), decoded.error_at};
}

std::string openssl_encode(const Bytes& bytes)
{
    std::string out(base64_encoded_bytes(bytes.size()) + 1, '\0');
    const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                  static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(n));
    return out;
}

/// Memory between two pages that nobody may touch: vector loads and stores that go too far are seen here, and by no sanitizer.
class GuardedPage {
public:
    GuardedPage() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE)))
    {
        void* const pages = mmap(nullptr, 3 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(pages != MAP_FAILED);
        start_ = static_cast<char*>(pages) + page_;
        REQUIRE(mprotect(start_, page_, PROT_READ | PROT_WRITE) == 0);
    }
    ~GuardedPage() { munmap(start_ - page_, 3 * page_); }
    GuardedPage(const GuardedPage&) = delete;
    GuardedPage& operator=(const GuardedPage&) = delete;

    /// `n` bytes that begin with the page, or end with it.
    char* place(std::size_t n, bool at_end) { return at_end ? start_ + page_ - n : start_; }

private:
    std::size_t page_;
    char* start_;
};

Bytes bytes_of(std::string_view text)
{
    Bytes bytes(text.size());
    if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

}  // namespace

TEST_CASE("base64 kernels are listed best first, and scalar is last and always there")
{
    REQUIRE_FALSE(base64_kernels().empty());
    CHECK(base64_kernels().back().name == std::string("scalar"));
    CHECK(base64_kernels().back().supported());
    CHECK(base64_kernel_in_use().name == std::string(kernels_of_this_cpu().front().name));
}

TEST_CASE("base64 gives the vectors of RFC 4648")
{
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
    };
    for (const Base64Kernel& kernel : kernels_of_this_cpu()) {
        for (const auto& [plain, text] : vectors) {
            CAPTURE(kernel.name, plain);
            CHECK(encode(kernel, bytes_of(plain)) == text);
            CHECK(decode(kernel, text) == Decoded{bytes_of(plain), Base64Decoded::no_error});
        }
    }
}

TEST_CASE("base64 of every kernel is what OpenSSL makes, at every length, and decodes back")
{
    Noise noise;
    std::vector<std::size_t> lengths{4'800, 9'600, 65'536, 1'000'003};
    for (std::size_t n = 0; n <= 300; ++n) lengths.push_back(n);
    for (std::size_t n : lengths) {
        const Bytes bytes = random_bytes(noise, n);
        const std::string expected = openssl_encode(bytes);
        for (const Base64Kernel& kernel : kernels_of_this_cpu()) {
            CAPTURE(kernel.name, n);
            const bool same_text = encode(kernel, bytes) == expected;
            const bool same_bytes = decode(kernel, expected) == Decoded{bytes, Base64Decoded::no_error};
            REQUIRE(same_text);
            REQUIRE(same_bytes);
        }
    }
}

TEST_CASE("base64 kernels touch nothing before or behind their buffers")
{
    Noise noise(3);
    GuardedPage in, out;
    for (std::size_t n = 0; n <= 600; ++n) {
        const Bytes bytes = random_bytes(noise, n);
        const std::string text = openssl_encode(bytes);
        const std::size_t room = base64_decoded_bytes_max(text.size());
        for (const Base64Kernel& kernel : kernels_of_this_cpu()) {
            for (const bool at_end : {false, true}) {
                CAPTURE(kernel.name, n, at_end);
                char* const plain = in.place(n, at_end);
                if (n > 0) std::memcpy(plain, bytes.data(), n);
                char* const encoded = out.place(text.size(), at_end);
                REQUIRE(kernel.encode(reinterpret_cast<const std::byte*>(plain), n, encoded) == text.size());
                REQUIRE(std::string_view(encoded, text.size()) == text);

                char* const characters = in.place(text.size(), at_end);
                text.copy(characters, text.size());
                char* const decoded = out.place(room, at_end);
                REQUIRE(kernel.decode(characters, text.size(), reinterpret_cast<std::byte*>(decoded)).bytes == n);
                REQUIRE((n == 0 || std::memcmp(decoded, bytes.data(), n) == 0));
            }
        }
    }
}

TEST_CASE("base64 encodes and decodes every value at every place of a vector")
{
    for (const Base64Kernel& kernel : kernels_of_this_cpu()) {
        for (std::size_t shift = 0; shift < alphabet.size(); ++shift) {
            std::string text;
            for (std::size_t i = 0; i < 256; ++i) text += alphabet[(i + shift) % alphabet.size()];
            const Decoded decoded = decode(kernel, text);
            CAPTURE(kernel.name, shift);
            REQUIRE(decoded.error_at == Base64Decoded::no_error);
            REQUIRE(decoded.bytes.size() == 192);
            REQUIRE(encode(kernel, decoded.bytes) == text);
        }
    }
}

TEST_CASE("base64 finds every character outside the alphabet, wherever it stands")
{
    const Base64Kernel scalar = base64_kernels().back();
    for (std::size_t length : {4u, 64u, 132u, 256u}) {
        std::string text;
        for (std::size_t i = 0; i < length; ++i) text += alphabet[i * 7 % alphabet.size()];
        for (std::size_t at = 0; at < length; ++at) {
            for (int c = 0; c < 256; ++c) {
                const char character = static_cast<char>(c);
                if (alphabet.find(character) != alphabet.npos) continue;
                if (character == '=' && at == length - 1) continue;  // may be padding
                std::string broken = text;
                broken[at] = character;
                for (const Base64Kernel& kernel : kernels_of_this_cpu()) {
                    const Decoded decoded = decode(kernel, broken);
                    if (decoded.error_at == at && decoded.bytes.size() == at / 4 * 3 && decoded == decode(scalar, broken)) continue;
                    CAPTURE(kernel.name, length, at, c, decoded.error_at, decoded.bytes.size());
                    FAIL("not found at its place");
                }
            }
        }
    }
}

TEST_CASE("base64 names the first of two errors")
{
    std::string text(256, 'A');
    for (const Base64Kernel& kernel : kernels_of_this_cpu()) {
        for (std::size_t at = 0; at < 200; at += 3) {
            std::string broken = text;
            broken[at] = '-';
            broken[at + 1] = '_';
            broken[255] = '\n';
            CAPTURE(kernel.name, at);
            REQUIRE(decode(kernel, broken).error_at == at);
        }
    }
}

TEST_CASE("base64 is strict about padding, unused bits and length, behind any number of good groups")
{
    constexpr auto fine = Base64Decoded::no_error;
    struct Row {
        std::string_view end;
        std::size_t error_at;  ///< in `end`
        std::size_t bytes;
    };
    const Row rows[] = {
        {"", fine, 0},        {"QUJD", fine, 3},    {"QUI=", fine, 2},     {"QQ==", fine, 1},
        {"QUJ=", 2, 0},       {"QR==", 1, 0},       {"QQ=Q", 2, 0},        {"Q===", 1, 0},
        {"====", 0, 0},       {"=QQQ", 0, 0},       {"Q=Q=", 1, 0},        {"QQ==QUJD", 2, 0},
        {"QUI=QUJD", 3, 0},   {"QUJDQUJD====", 8, 6}, {"Q", 0, 0},         {"QU", 0, 0},
        {"QUI", 0, 0},        {"QUJDQ", 4, 3},      {"QUJDQU", 4, 3},      {"QUJDQUI", 4, 3},
        {"QQ=", 0, 0},        {"QUJD=", 4, 3},      {"QUJD\n", 4, 3},      {"QUI=\n", 3, 0},
        {"QU D", 2, 0},       {"QU-_", 2, 0},       {" QUJ", 0, 0},        {"QUJD QUI=", 4, 3},
    };
    for (const Base64Kernel& kernel : kernels_of_this_cpu()) {
        for (std::size_t groups = 0; groups < 70; ++groups) {
            std::string before;
            for (std::size_t i = 0; i < groups; ++i) before += "Zm9v";
            for (const Row& row : rows) {
                const Decoded decoded = decode(kernel, before + std::string(row.end));
                CAPTURE(kernel.name, groups, row.end);
                REQUIRE(decoded.error_at == (row.error_at == fine ? fine : before.size() + row.error_at));
                REQUIRE(decoded.bytes.size() == groups * 3 + row.bytes);
            }
        }
    }
}

TEST_CASE("base64 kernels agree on random text that is nearly base64")
{
    Noise noise(7);
    const Base64Kernel scalar = base64_kernels().back();
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        const std::size_t length = noise.below(400);
        for (std::size_t i = 0; i < length; ++i) text += alphabet[noise.below(alphabet.size())];
        for (std::size_t errors = noise.below(3); errors > 0 && !text.empty(); --errors)
            text[noise.below(text.size())] = static_cast<char>(noise.bits());
        for (std::size_t padding = noise.below(4); padding > 0 && padding < text.size(); --padding) text[text.size() - padding] = '=';
        const Decoded expected = decode(scalar, text);
        for (const Base64Kernel& kernel : kernels_of_this_cpu()) {
            if (decode(kernel, text) == expected) continue;
            CAPTURE(kernel.name, text);
            FAIL("does not agree with the scalar kernel");
        }
    }
}

TEST_CASE("base64 of the kernel in use encodes and decodes")
{
    const Bytes bytes = bytes_of("the quick brown fox jumps over the lazy dog");
    std::string text(base64_encoded_bytes(bytes.size()), '\0');
    REQUIRE(base64_encode(bytes, text.data()) == text.size());
    CHECK(text == openssl_encode(bytes));

    Bytes out(base64_decoded_bytes_max(text.size()));
    const Base64Decoded decoded = base64_decode(text, out.data());
    REQUIRE(decoded);
    out.resize(decoded.bytes);
    CHECK(out == bytes);

    text[10] = '!';
    out.resize(base64_decoded_bytes_max(text.size()));
    const Base64Decoded broken = base64_decode(text, out.data());
    CHECK_FALSE(broken);
    CHECK(broken.error_at == 10);
}
