# Installs the services of camera and hub: units, users, state folders, udev rules, kernel settings, initial settings (board/common/README.md).
# Without SEALCAM_SERVICES, `cmake --install` installs only programs, modules and the data of boards.
if(NOT SEALCAM_SERVICES AND NOT SEALCAM_PACKAGES)
  return()
endif()

set(common ${PROJECT_SOURCE_DIR}/board/common)
foreach(device camera hub)
  set(name sealcam-${device})
  install(FILES ${common}/${name}.service DESTINATION lib/systemd/system COMPONENT ${name})
  install(FILES ${common}/${name}.sysusers DESTINATION lib/sysusers.d RENAME ${name}.conf COMPONENT ${name})
  install(FILES ${common}/${name}.tmpfiles DESTINATION lib/tmpfiles.d RENAME ${name}.conf COMPONENT ${name})
  install(FILES ${common}/${device}.json DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/sealcam COMPONENT ${name})
endforeach()
install(FILES ${common}/60-sealcam-camera.rules DESTINATION lib/udev/rules.d COMPONENT sealcam-camera)
install(FILES ${common}/60-sealcam-camera.sysctl DESTINATION lib/sysctl.d RENAME 60-sealcam-camera.conf COMPONENT sealcam-camera)
install(FILES ${common}/50-sealcam-camera.rules DESTINATION ${CMAKE_INSTALL_DATADIR}/polkit-1/rules.d COMPONENT sealcam-camera)
install(FILES ${common}/sealcam-hub-kiosk.service DESTINATION lib/systemd/system COMPONENT sealcam-hub)
