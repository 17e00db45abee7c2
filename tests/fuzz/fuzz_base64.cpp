#include "repartee/audio/base64.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

using namespace repartee::audio;

// Every kernel of this CPU must decode any text as the scalar one does, and encode any bytes to text that decodes to them again.
namespace {

void check(bool holds)
{
    if (!holds) std::abort();
}

using Buffer = std::unique_ptr<std::byte[]>;

Buffer exact(std::size_t bytes) { return Buffer(new std::byte[bytes]); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const Base64Kernel& scalar = base64_kernels().back();
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto* text = reinterpret_cast<const char*>(data);
    const std::size_t room = base64_decoded_bytes_max(size);
    const Buffer expected = exact(room);
    const Base64Decoded expected_result = scalar.decode(text, size, expected.get());

    for (const Base64Kernel& kernel : base64_kernels()) {
        if (!kernel.supported()) continue;
        const Buffer out = exact(room);
        const Base64Decoded result = kernel.decode(text, size, out.get());
        check(result.error_at == expected_result.error_at && result.bytes == expected_result.bytes);
        check(result.bytes <= room && (result || result.error_at < size));
        check(std::equal(out.get(), out.get() + result.bytes, expected.get()));

        const std::unique_ptr<char[]> encoded(new char[base64_encoded_bytes(size)]);
        const std::size_t characters = kernel.encode(bytes, size, encoded.get());
        check(characters == base64_encoded_bytes(size));
        const Buffer back = exact(base64_decoded_bytes_max(characters));
        const Base64Decoded again = scalar.decode(encoded.get(), characters, back.get());
        check(again && again.bytes == size && std::equal(bytes, bytes + size, back.get()));
    }
    return 0;
}
