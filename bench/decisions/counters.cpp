#include "counters.hpp"

#include "sockets.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace decisions {

Counters* map_counters(const std::string& path)
{
    constexpr std::size_t bytes = sizeof(Counters) * threads_max;
    const bool shared = !path.empty();
    const int file = shared ? ::open(path.c_str(), O_RDWR | O_CLOEXEC) : -1;
    if (shared) require(file >= 0 && ::ftruncate(file, bytes) == 0, "open --counters");
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, file, 0);
    require(memory != MAP_FAILED, "mmap");
    if (shared) ::close(file);
    return static_cast<Counters*>(memory);
}

}  // namespace decisions
