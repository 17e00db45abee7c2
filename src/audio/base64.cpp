#include "repartee/audio/base64.hpp"

#include "base64_kernels.hpp"

#include <iterator>

namespace repartee::audio {
namespace {

bool always() noexcept { return true; }

#if defined(__x86_64__)
bool has_avx2() noexcept { return __builtin_cpu_supports("avx2"); }

bool has_avx512_vbmi() noexcept
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi");
}
#endif

constexpr Base64Kernel kernels[] = {
#if defined(__x86_64__)
    {"avx512vbmi", has_avx512_vbmi, base64_encode_avx512, base64_decode_avx512},
    {"avx2", has_avx2, base64_encode_avx2, base64_decode_avx2},
#elif defined(__aarch64__)
    {"neon", always, base64_encode_neon, base64_decode_neon},  // every aarch64 CPU has it
#endif
    {"scalar", always, base64_encode_scalar, base64_decode_scalar},
};

const Base64Kernel& choose_kernel()
{
#if defined(__x86_64__)
    __builtin_cpu_init();  // static constructors may encode before libgcc has looked at the CPU
#endif
    for (const Base64Kernel& kernel : kernels)
        if (kernel.supported()) return kernel;
    return *(std::end(kernels) - 1);
}

// A plain pointer, written once before main(): a call costs one load, without the guard of a local static. Whoever encodes in a static
// constructor that runs earlier gets the scalar kernel, which is as right.
constinit const Base64Kernel* in_use = std::end(kernels) - 1;
[[maybe_unused]] const bool is_chosen = (in_use = &choose_kernel(), true);

}  // namespace

std::span<const Base64Kernel> base64_kernels() { return kernels; }

const Base64Kernel& base64_kernel_in_use() { return *in_use; }

std::size_t base64_encode(std::span<const std::byte> in, char* out) noexcept { return in_use->encode(in.data(), in.size(), out); }

Base64Decoded base64_decode(std::string_view in, std::byte* out) noexcept { return in_use->decode(in.data(), in.size(), out); }

}  // namespace repartee::audio
