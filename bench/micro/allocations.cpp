#include "allocations.hpp"

#include <cstddef>

// glibc's own names of the allocator, so that ours can stand before it for the whole process, C libraries included.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
}

namespace {
std::uint64_t count = 0;  // the benchmarks run on one thread
}

std::uint64_t allocations_so_far() { return count; }

extern "C" {
void* malloc(std::size_t bytes)
{
    ++count;
    return __libc_malloc(bytes);
}

void* calloc(std::size_t n, std::size_t bytes)
{
    ++count;
    return __libc_calloc(n, bytes);
}

void* realloc(void* old, std::size_t bytes)
{
    ++count;
    return __libc_realloc(old, bytes);
}
}
