#pragma once
#include "repartee/base/error.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// multipart/form-data (RFC 7578), both ways. Pure.
namespace repartee::net {

/// Writes a form. The boundary is random, too long to occur in what is written by chance.
class MultipartWriter {
public:
    MultipartWriter();

    void field(std::string_view name, std::string_view value);
    /// `file_name` and names have '"', CR and LF percent-encoded, as browsers do.
    void file(std::string_view name, std::string_view file_name, std::string_view content_type, std::string bytes);

    std::string content_type() const;   ///< multipart/form-data; boundary=…
    /// The form in pieces: a file's bytes are one of them, moved, not copied. Empties the writer.
    std::vector<std::string> take();

private:
    std::string& text();

    std::string boundary_;
    std::vector<std::string> pieces_;  ///< text and the bytes of files by turns
};

/// One part of a form; all views into the body that was parsed. `name` is as it came, escapes in it are kept.
struct FormPart {
    std::string_view name;
    std::optional<std::string> file_name;  ///< nullopt: a plain field. As the client says: not a path to be used
    std::string_view content_type;         ///< may be empty
    std::string_view bytes;
};

struct FormLimits {
    std::size_t parts_max = 32;
    std::size_t part_header_bytes_max = 4 << 10;
};

/// `content_type` is the request's header, with the boundary. Code::unsupported_content when it is no multipart/form-data, Code::invalid_value
/// (what is malformed, and at which byte), Code::too_large (parts_max).
Result<std::vector<FormPart>> parse_multipart(std::string_view content_type, std::string_view body, const FormLimits& limits);

const FormPart* find_part(const std::vector<FormPart>& parts, std::string_view name);

}  // namespace repartee::net
