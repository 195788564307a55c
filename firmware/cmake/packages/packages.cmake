# Man pages, and the Debian packages sealcam-camera, sealcam-hub and sealcam: `scripts/package`.
if(NOT SEALCAM_PACKAGES)
  return()
endif()

set(here ${CMAKE_CURRENT_LIST_DIR})
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_program(READELF readelf REQUIRED)

# LICENSE as a machine-readable copyright file (Debian's copyright-format 1.0), which scripts/sbom reads.
file(READ ${PROJECT_SOURCE_DIR}/LICENSE license)
string(REPLACE "\n" "\n " license "${license}")
foreach(round 1 2)  # two rounds, because neighboring empty lines share a line end
  string(REPLACE "\n \n" "\n .\n" license "${license}")
endforeach()
string(STRIP "${license}" license)
file(WRITE ${PROJECT_BINARY_DIR}/packages/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Sealcam
Comment: The hub's package contains the app for phones. Its file mqtt.js has packages of npm. LICENSES.txt in the same folder has their licenses.

Files: *
Copyright: the authors of Sealcam
License: Apache-2.0
 ${license}
")

# Made from the output of --help. Programs of another architecture run in the emulator of the toolchain file.
add_custom_target(man_pages ALL)
foreach(program sealcam-camera sealcam-hub sealcam)
  set(page ${PROJECT_BINARY_DIR}/man/${program}.1.gz)
  add_custom_command(OUTPUT ${page}
    COMMAND ${Python3_EXECUTABLE} ${here}/man_page.py ${page} ${PROJECT_VERSION}
      "$<TARGET_PROPERTY:${program},CROSSCOMPILING_EMULATOR>" $<TARGET_FILE:${program}>
    DEPENDS ${program} ${here}/man_page.py
    COMMENT "Writing ${program}(1)" COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(man_${program} DEPENDS ${page})
  add_dependencies(man_pages man_${program})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${program})
  install(FILES ${PROJECT_BINARY_DIR}/packages/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${program} COMPONENT ${program})
endforeach()

foreach(device camera hub)
  set(name sealcam-${device})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/board/ DESTINATION ${CMAKE_INSTALL_DATADIR}/${name}/boards COMPONENT ${name}
    FILES_MATCHING PATTERN "yocto" EXCLUDE PATTERN "image" EXCLUDE PATTERN "board.json" PATTERN "board.schema.json" PATTERN "README.md")
endforeach()

# The app for phones. The script needs less than a second if it has the packages of npm, so it runs at each build.
add_custom_target(phone_app ALL COMMAND ${CMAKE_COMMAND} -E rm -rf ${PROJECT_BINARY_DIR}/app
  COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/scripts/app.py ${PROJECT_BINARY_DIR}/app
  COMMENT "Making the app for phones" VERBATIM)
install(DIRECTORY ${PROJECT_BINARY_DIR}/app/ DESTINATION ${CMAKE_INSTALL_DATADIR}/sealcam/app COMPONENT sealcam-hub)

# The pages for the users of each package.
set(pages_sealcam-camera cameras wifi pairing)
set(pages_sealcam-hub hub hub-api home-assistant-and-players pairing phone reverse-proxy vpn)
set(pages_sealcam owners backup broker pairing)
foreach(name sealcam-camera sealcam-hub sealcam)
  foreach(page configuration troubleshooting ${pages_${name}})
    install(FILES ${PROJECT_SOURCE_DIR}/firmware/docs/${page}.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${name})
  endforeach()
  install(FILES ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${name})
endforeach()

# The scripts that dpkg runs. They enable and start @unit@, stop @others@ at removal, and delete @users@ at purge.
function(maintainer_scripts name unit others users folders)
  foreach(script postinst prerm postrm)
    configure_file(${here}/${script}.in ${PROJECT_BINARY_DIR}/packages/${name}/${script} @ONLY NEWLINE_STYLE UNIX
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endforeach()
endfunction()
maintainer_scripts(sealcam-camera sealcam-camera.service "" "sealcam-camera" "/var/lib/sealcam/camera")
maintainer_scripts(sealcam-hub sealcam-hub.service sealcam-hub-kiosk.service "sealcam-hub sealcam-kiosk" "/var/lib/sealcam/hub")
file(WRITE ${PROJECT_BINARY_DIR}/packages/sealcam-camera/conffiles "/etc/sealcam/camera.json\n")
file(WRITE ${PROJECT_BINARY_DIR}/packages/sealcam-hub/conffiles "/etc/sealcam/hub.json\n")
foreach(name sealcam-camera sealcam-hub)
  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA
    "${PROJECT_BINARY_DIR}/packages/${name}/postinst;${PROJECT_BINARY_DIR}/packages/${name}/prerm;${PROJECT_BINARY_DIR}/packages/${name}/postrm;${PROJECT_BINARY_DIR}/packages/${name}/conffiles")
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_STRICT_PERMISSION ON)
endforeach()

set(architecture_x86_64 amd64)
set(architecture_aarch64 arm64)
set(architecture_armv7l armhf)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${architecture_${CMAKE_SYSTEM_PROCESSOR}})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL sealcam-camera sealcam-hub sealcam)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_SOURCE_DIR}/build/package)
# The version of a package for a system with other libraries than Debian contains the name of the system.
set(SEALCAM_PACKAGE_SYSTEM "" CACHE STRING "System of the packages, if it is not Debian: raspberrypi")
if(SEALCAM_PACKAGE_SYSTEM)
  set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}+${SEALCAM_PACKAGE_SYSTEM}")
endif()
set(CPACK_PACKAGE_VENDOR Sealcam)
set(CPACK_PACKAGE_CONTACT "Sealcam <maintainers@sealcam.invalid>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(users "systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles, passwd")

set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_NAME sealcam-camera)
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_SECTION video)
set(CPACK_DEBIAN_SEALCAM-CAMERA_DESCRIPTION "camera whose pictures only its owner's account can open
Captures, encodes, seals and signs pictures, and publishes them at an MQTT 5
broker that cannot open them. Runs as a service; listens on no port once it
has an owner. Sensors by V4L2 and, where libcamera is installed, by libcamera.")
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_RECOMMENDS "libcamera-ipa")
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_SUGGESTS "network-manager, polkitd, sealcam, v4l-utils")

set(CPACK_DEBIAN_SEALCAM-HUB_PACKAGE_NAME sealcam-hub)
set(CPACK_DEBIAN_SEALCAM-HUB_PACKAGE_SECTION video)
set(CPACK_DEBIAN_SEALCAM-HUB_DESCRIPTION "shows the pictures of one account's Sealcam cameras
Verifies and opens every frame, shows whether a picture is live, and serves a
page, snapshots and streams on this machine's loopback address only. Runs as a
service; sealcam-hub-kiosk.service shows the page on the machine's own screen.
Contains the app for phones, which it serves if it is configured to.")
set(CPACK_DEBIAN_SEALCAM-HUB_PACKAGE_SUGGESTS "cage, chromium, sealcam")

set(CPACK_DEBIAN_SEALCAM_PACKAGE_NAME sealcam)
set(CPACK_DEBIAN_SEALCAM_PACKAGE_SECTION video)
set(CPACK_DEBIAN_SEALCAM_DESCRIPTION "the owner's command line of Sealcam cameras
Makes accounts, sets up brokers, pairs cameras and hubs, records cameras, and
prints the messages at the broker.")
set(CPACK_DEBIAN_SEALCAM_PACKAGE_SUGGESTS "mosquitto, sealcam-hub")

# cpack determines the libraries of each package after the build. The libraries of modules that are loaded on demand, such as
# FFmpeg's containers and libcamera, are not dependencies of the camera package.
set(bin ${PROJECT_BINARY_DIR}/bin)
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/cpack-project.cmake CONTENT "
function(depends variable)
  execute_process(COMMAND \"${Python3_EXECUTABLE}\" \"${here}/depends.py\" --info \"${CMAKE_SYSROOT}/var/lib/dpkg/info\" \${ARGN}
    OUTPUT_VARIABLE line OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(\${variable} \"\${line}\" PARENT_SCOPE)
endfunction()
depends(camera \"${bin}/sealcam-camera\")
depends(replay --beyond \"${bin}/sealcam-camera\" \"${bin}/sealcam-replay.so\")
depends(hub \"${bin}/sealcam-hub\" \"${bin}/sealcam-media.so\")
depends(owner \"${bin}/sealcam\")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY \"\")  # each package has its own
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_DEPENDS \"\${camera}, ${users}\")
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_SUGGESTS \"\${CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_SUGGESTS}, \${replay}\")
set(CPACK_DEBIAN_SEALCAM-HUB_PACKAGE_DEPENDS \"\${hub}, ${users}\")
set(CPACK_DEBIAN_SEALCAM_PACKAGE_DEPENDS \"\${owner}\")
$<$<TARGET_EXISTS:sealcam_libcamera>:depends(libcamera --beyond \"${bin}/sealcam-camera\" \"${bin}/sealcam-libcamera.so\")
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_RECOMMENDS \"\${libcamera}, \${CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_RECOMMENDS}\")>
")
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_BINARY_DIR}/cpack-project.cmake)
include(CPack)
