# What the retirement of a certificate needs: what still names it, whether it is
# archived, and the removal of a reader of its key.

# Returns the certificates of the Personal store, archived ones included, which a
# store returns only on request.
# Source: Microsoft, X509Certificate2.Archived and OpenFlags.IncludeArchived.
function Get-PersonalCertificate {
    [CmdletBinding()]
    param()

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store 'My', 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::IncludeArchived)
    try { foreach ($certificate in $opened.Certificates) { $certificate } }
    finally { $opened.Close() }
}

# The change is saved at once, because the certificate object comes from the store.
# Source: Microsoft, X509Certificate2.Archived.
function Set-StoreArchived {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [bool] $Archived
    )

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store 'My', 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags] 'ReadWrite, IncludeArchived')
    try {
        foreach ($certificate in $opened.Certificates) {
            if ($certificate.Thumbprint -eq $Thumbprint) { $certificate.Archived = $Archived }
        }
    }
    finally { $opened.Close() }
}

# Removes exactly the access entry that Add-KeyReader adds. An entry that grants
# more, or that is inherited, was made by another administrator.
function Remove-KeyReader {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [Parameter(Mandatory = $true)] [string] $Sid
    )

    $info = New-Object System.IO.FileInfo $File
    $security = $info.GetAccessControl([System.Security.AccessControl.AccessControlSections]::Access)
    $account = New-Object System.Security.Principal.SecurityIdentifier $Sid
    $security.RemoveAccessRuleSpecific((New-Object System.Security.AccessControl.FileSystemAccessRule $account, 'Read', 'Allow'))
    $info.SetAccessControl($security)
}

# Returns the lines of netsh's list of TLS bindings of http.sys. The exit code is
# ignored: it is not documented when there is no binding, and http.sys is known to
# run, because this session came through it.
# Source: Microsoft, "Netsh Commands for Hypertext Transfer Protocol (HTTP)".
function Get-TlsBindingText {
    [CmdletBinding()]
    param()

    & "$env:SystemRoot\System32\netsh.exe" http show sslcert
}

# Returns the thumbprint that listeners of WinRM without one of their own use.
# Source: Microsoft, about_WSMan_Provider; "Installation and configuration for
# Windows Remote Management", CertificateThumbprint of the service.
function Get-WinRmThumbprint {
    [CmdletBinding()]
    param()

    return [string] (Get-Item -Path WSMan:\localhost\Service\CertificateThumbprint).Value
}

# Returns the thumbprints of the certificates of Remote Desktop's listeners, one that
# Windows made itself included.
# Source: Microsoft, Win32_TSGeneralSetting, SSLCertificateSHA1Hash.
function Get-RemoteDesktopThumbprint {
    [CmdletBinding()]
    param()

    foreach ($listener in Get-CimInstance -Namespace root/cimv2/TerminalServices -ClassName Win32_TSGeneralSetting) {
        [string] $listener.SSLCertificateSHA1Hash
    }
}

# Returns the folder of IIS's central certificate store, or an empty text when the
# store is not in use.
# Source: Microsoft's IIS Administration API (microsoft/IIS.Administration,
# CentralCertificateStore), which reads the same values.
function Get-CentralStore {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\IIS\CentralCertProvider'
    if ([int] [Microsoft.Win32.Registry]::GetValue($key, 'Enabled', 0) -eq 0) { return '' }
    return [string] [Microsoft.Win32.Registry]::GetValue($key, 'CertStoreLocation', '')
}

# Returns the certificate thumbprints of WinRM's listeners as they were entered. An
# HTTP listener has an empty one.
# Source: Microsoft, about_WSMan_Provider.
function Get-ListenerThumbprint {
    [CmdletBinding()]
    param()

    foreach ($setting in Get-ChildItem -Path WSMan:\localhost\Listener | Get-ChildItem) {
        if ($setting.Name -eq 'CertificateThumbprint') { [string] $setting.Value }
    }
}
