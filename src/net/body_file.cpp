#include "body_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace repartee::net {
namespace {

constexpr std::size_t piece_bytes = 64 << 10;

}  // namespace

BodyFile::BodyFile(const Response& response)
    : fd_(::open(response.file.c_str(), O_RDONLY | O_CLOEXEC)), offset_(response.file_offset), left_(response.file_bytes)
{
}

BodyFile::~BodyFile()
{
    if (fd_ >= 0) ::close(fd_);
}

bool BodyFile::is_usable() const
{
    struct stat status {};
    if (fd_ < 0 || ::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return false;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    return offset_ <= size && left_ <= size - offset_;
}

bool BodyFile::read_piece(std::string& into)
{
    const std::size_t before = into.size();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece_bytes));
    into.resize(before + wanted);
    const ssize_t n = ::pread(fd_, into.data() + before, wanted, static_cast<off_t>(offset_));
    if (n <= 0) return false;
    into.resize(before + static_cast<std::size_t>(n));
    offset_ += static_cast<std::uint64_t>(n);
    left_ -= static_cast<std::uint64_t>(n);
    return true;
}

}  // namespace repartee::net
