#pragma once
#include "repartee/net/http_message.hpp"

#include <cstdint>
#include <string>

namespace repartee::net {

/// An open file that holds at least the bytes that a response asks for.
class BodyFile {
public:
    explicit BodyFile(const Response& response);
    ~BodyFile();
    BodyFile(const BodyFile&) = delete;
    BodyFile& operator=(const BodyFile&) = delete;

    bool is_usable() const;
    /// Appends the next bytes; false at a failure, e.g. when the file has shrunk meanwhile.
    bool read_piece(std::string& into);
    std::uint64_t left() const { return left_; }

private:
    int fd_;
    std::uint64_t offset_, left_;
};

}  // namespace repartee::net
