#include "tls_memory.hpp"

#include <malloc.h>
#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <cstdlib>

namespace repartee::net {
namespace {

/// A few free blocks of one size. Plain malloc's, so that any thread may free them in any way.
template <std::size_t bytes_min, std::size_t bytes, std::size_t count_max>
class Shelf {
public:
    static bool serves(std::size_t wanted) { return wanted > bytes_min && wanted <= bytes; }
    void* take() { return count_ > 0 ? blocks_[--count_] : std::malloc(bytes); }
    /// malloc never hands out much more than it was asked for, so the size tells whose block it was.
    bool give_back(void* block, std::size_t usable)
    {
        if (usable < bytes || usable > bytes + 64 || count_ == count_max) return false;
        blocks_[count_++] = block;
        return true;
    }
    void clear()
    {
        while (count_ > 0) std::free(blocks_[--count_]);
    }

private:
    std::array<void*, count_max> blocks_;
    std::size_t count_;
};

struct Shelves {
    Shelf<16, 40, 64> small;              // what assembles a record's header
    Shelf<16'384, 17'408, 16> record;     // a record with its overhead
};

// OpenSSL still frees when a thread's objects are gone already: these two have no destructor, and outlive them.
thread_local constinit Shelves of_this_thread{};
thread_local constinit bool is_ending = false;

struct Clearing {
    bool begun = false;
    ~Clearing()
    {
        is_ending = true;
        of_this_thread.small.clear();
        of_this_thread.record.clear();
    }
};

Shelves* shelves()
{
    if (is_ending) return nullptr;
    thread_local Clearing at_the_end;
    at_the_end.begun = true;
    return &of_this_thread;
}

void* take(std::size_t bytes, const char*, int)
{
    Shelves* const kept = shelves();
    if (kept && kept->small.serves(bytes)) return kept->small.take();
    if (kept && kept->record.serves(bytes)) return kept->record.take();
    return bytes == 0 ? nullptr : std::malloc(bytes);
}

void give_back(void* block, const char*, int)
{
    if (!block) return;
    Shelves* const kept = shelves();
    const std::size_t usable = ::malloc_usable_size(block);
    if (kept && (kept->small.give_back(block, usable) || kept->record.give_back(block, usable))) return;
    std::free(block);
}

void* resize(void* block, std::size_t bytes, const char* file, int line)
{
    if (bytes == 0) {
        give_back(block, file, line);
        return nullptr;
    }
    return block ? std::realloc(block, bytes) : take(bytes, file, line);
}

}  // namespace

void install_tls_memory()
{
    // Refused when OpenSSL has allocated already: then it keeps to malloc, which is as right, only slower.
    static const int installed = CRYPTO_set_mem_functions(&take, &resize, &give_back);
    static_cast<void>(installed);
}

}  // namespace repartee::net
