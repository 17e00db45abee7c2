#include "repartee/net/multipart.hpp"

#include "repartee/base/ids.hpp"

#include <utility>

namespace repartee::net {
namespace {

/// As browsers do (WHATWG HTML, multipart/form-data encoding).
std::string quoted(std::string_view name)
{
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"')
            out += "%22";
        else if (c == '\r')
            out += "%0D";
        else if (c == '\n')
            out += "%0A";
        else
            out += c;
    }
    return out += '"';
}

std::string one_line(std::string_view value)
{
    std::string out(value);
    for (char& c : out)
        if (c == '\r' || c == '\n' || c == '\0') c = ' ';
    return out;
}

}  // namespace

MultipartWriter::MultipartWriter() : boundary_(make_id("repartee-form-")) {}

/// The piece that is still open for text; a file's bytes are a piece of their own.
std::string& MultipartWriter::text()
{
    if (pieces_.size() % 2 == 0) pieces_.emplace_back();
    return pieces_.back();
}

void MultipartWriter::field(std::string_view name, std::string_view value)
{
    std::string& out = text();
    out += "--" + boundary_ + "\r\nContent-Disposition: form-data; name=" + quoted(name) + "\r\n\r\n";
    out += value;
    out += "\r\n";
}

void MultipartWriter::file(std::string_view name, std::string_view file_name, std::string_view content_type, std::string bytes)
{
    text() += "--" + boundary_ + "\r\nContent-Disposition: form-data; name=" + quoted(name) + "; filename=" + quoted(file_name) +
              "\r\nContent-Type: " + one_line(content_type) + "\r\n\r\n";
    pieces_.push_back(std::move(bytes));
    text() += "\r\n";
}

std::string MultipartWriter::content_type() const { return "multipart/form-data; boundary=" + boundary_; }

std::vector<std::string> MultipartWriter::take()
{
    text() += "--" + boundary_ + "--\r\n";
    return std::exchange(pieces_, {});
}

}  // namespace repartee::net
