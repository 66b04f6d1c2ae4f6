# Stand-ins for the part of the prelude that ends a certificate's life.

function Get-PersonalCertificate {
    [CmdletBinding()]
    param()

    foreach ($entry in (Get-World).stores.My) {
        if ($entry.pfx) {
            $certificate = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new([Convert]::FromBase64String($entry.pfx), 'world')
        }
        else {
            $certificate = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new([Convert]::FromBase64String($entry.der))
        }
        Add-Member -InputObject $certificate -MemberType NoteProperty -Name FriendlyName -Value $entry.friendlyName -Force
        Add-Member -InputObject $certificate -MemberType NoteProperty -Name Archived -Value $entry.archived -Force
        $certificate
    }
}

function Set-StoreArchived {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [bool] $Archived
    )

    $world = Get-World
    (Find-Entry -World $world -Store My -Thumbprint $Thumbprint).archived = $Archived
    if (-not $world.clings) { Set-World $world }
}

function Remove-KeyReader {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [Parameter(Mandatory = $true)] [string] $Sid
    )

    $world = Get-World
    $entry = $world.stores.My | Where-Object { $_.file -eq $File }
    $entry.readers = @($entry.readers | Where-Object { $_ -ne $Sid -or $_ -in $entry.inherited })
    Set-World $world
}

function Get-TlsBindingText {
    [CmdletBinding()]
    param()
    return (Get-World).tlsText
}

function Get-ListenerThumbprint {
    [CmdletBinding()]
    param()
    return (Get-World).listeners
}
