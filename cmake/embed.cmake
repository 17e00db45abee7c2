# Writes OUTPUT, the .cpp that holds FILES; what a browser gets is held compressed as well, as PATH.gz.
set(arrays "")
set(table "")
set(index 0)

macro(add_asset name hex)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char asset_${index}[] = {${bytes}0};\n")
  string(APPEND table "    {\"${name}\", {reinterpret_cast<const char*>(asset_${index}), sizeof asset_${index} - 1}},\n")
  math(EXPR index "${index} + 1")
endmacro()

foreach(file ${FILES})
  file(RELATIVE_PATH name ${ROOT} ${file})
  file(READ ${file} hex HEX)
  add_asset("${name}" "${hex}")
  if(name MATCHES "^web/")
    file(ARCHIVE_CREATE OUTPUT ${OUTPUT}.gz PATHS ${file} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
    file(READ ${OUTPUT}.gz hex HEX)
    # The time of compression, which would make every build another.
    string(REGEX REPLACE "^(1f8b08..)........" "\\100000000" hex "${hex}")
    add_asset("${name}.gz" "${hex}")
  endif()
endforeach()
file(REMOVE ${OUTPUT}.gz)
file(WRITE ${OUTPUT} "#include \"repartee/base/embedded_assets.hpp\"
namespace {
${arrays}}
namespace repartee {
std::span<const EmbeddedAsset> embedded_assets()
{
  static const EmbeddedAsset table[] = {
${table}  };
  return table;
}
}
")
