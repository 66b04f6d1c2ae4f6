# What ends a certificate's life on the machine: what still names it, its
# archived mark, its key's readers.

# The Personal store with its archived certificates, which a store shows only
# to those who ask for them.
# Source: Microsoft, X509Certificate2.Archived and OpenFlags.IncludeArchived.
function Get-PersonalCertificate {
    [CmdletBinding()]
    param()

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store 'My', 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::IncludeArchived)
    try { foreach ($certificate in $opened.Certificates) { $certificate } }
    finally { $opened.Close() }
}

# The mark is kept at once, for the certificate comes from the store.
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

# Takes away exactly the entry that Add-KeyReader makes: one that grants more,
# or that is inherited, is not ours.
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

# What netsh lists of http.sys, line by line. The exit code is left alone: what
# it is where there is no binding is not documented, and http.sys itself runs,
# for this very session came through it.
# Source: Microsoft, "Netsh Commands for Hypertext Transfer Protocol (HTTP)".
function Get-TlsBindingText {
    [CmdletBinding()]
    param()

    & "$env:SystemRoot\System32\netsh.exe" http show sslcert
}

# The certificates of WinRM's listeners, as they were typed in; empty for HTTP.
# Source: Microsoft, about_WSMan_Provider.
function Get-ListenerThumbprint {
    [CmdletBinding()]
    param()

    foreach ($setting in Get-ChildItem -Path WSMan:\localhost\Listener | Get-ChildItem) {
        if ($setting.Name -eq 'CertificateThumbprint') { [string] $setting.Value }
    }
}
